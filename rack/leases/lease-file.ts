/** Rows of Kea's memfile (leases4.csv). Columns are found by the header, as Kea adds some from version to version. */

export interface LeaseRow {
  ip: string;
  /** Lower case with colons. */
  mac: string;
  subnetId: number;
  hostname: string;
  /** Seconds since the epoch. */
  expires: number;
  /** False when the row says that the lease ended (released, expired, declined). */
  valid: boolean;
}

const NEEDED = ['address', 'hwaddr', 'valid_lifetime', 'expire', 'subnet_id', 'hostname', 'state'] as const;
type Column = (typeof NEEDED)[number];
export type LeaseColumns = Record<Column, number>;

/** Null when the line is not a header with the columns we need. */
export function parseHeader(line: string): LeaseColumns | null {
  const names = line.trim().split(',');
  const at = (name: Column) => names.indexOf(name);
  if (NEEDED.some((name) => at(name) < 0)) return null;
  return {
    address: at('address'),
    hwaddr: at('hwaddr'),
    valid_lifetime: at('valid_lifetime'),
    expire: at('expire'),
    subnet_id: at('subnet_id'),
    hostname: at('hostname'),
    state: at('state'),
  };
}

/** Null for a line that is not a lease of an Ethernet address. */
export function parseRow(line: string, columns: LeaseColumns): LeaseRow | null {
  const cells = line.trim().split(',');
  const cell = (name: Column) => cells[columns[name]] ?? '';
  const mac = cell('hwaddr').toLowerCase();
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || !/^[\d.]{7,15}$/.test(cell('address'))) return null;
  return {
    ip: cell('address'),
    mac,
    subnetId: Number(cell('subnet_id')),
    hostname: cell('hostname').replace(/\.$/, ''),
    expires: Number(cell('expire')),
    // State 0 = assigned; a lifetime of 0 marks a row that undoes earlier ones.
    valid: cell('state') === '0' && Number(cell('valid_lifetime')) > 0,
  };
}
