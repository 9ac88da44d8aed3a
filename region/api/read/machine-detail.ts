import type { MachineDetail } from '@ingot/contract/native.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { noSuch } from '../failure.ts';
import type { Principal } from '../principal.ts';
import { machineRows, machineView } from './machines.ts';
import type { TypicalTimes } from './typical.ts';

interface DetailRow {
  description: string;
  hardware_info: unknown;
  interfaces: NicRow[] | null;
  disks: MachineDetail['disks'] | null;
}

interface NicRow {
  id: number;
  name: string;
  mac: string | null;
  vendor: string | null;
  product: string | null;
  link_connected: boolean;
  link_speed: number;
  links: MachineDetail['interfaces'][number]['links'] | null;
}

const DETAIL = sql`, m.description, m.hardware_info,
  (SELECT jsonb_agg(jsonb_build_object('id', i.id, 'name', i.name, 'mac', i.mac, 'vendor', i.vendor, 'product', i.product,
      'link_connected', i.link_connected, 'link_speed', i.link_speed, 'links',
      (SELECT jsonb_agg(jsonb_build_object('mode', l.mode, 'subnet', s.cidr::text, 'address', host(lower(a.span)))
        ORDER BY l.id) FROM interface_links l LEFT JOIN subnets s ON s.id = l.subnet_id
        LEFT JOIN address_spans a ON a.id = l.address_id WHERE l.interface_id = i.id)) ORDER BY i.name)
    FROM interfaces i WHERE i.machine_id = m.id) AS interfaces,
  (SELECT jsonb_agg(jsonb_build_object('id', b.id, 'name', b.name, 'model', b.model, 'serial', b.serial, 'size', b.size,
      'tags', b.tags) ORDER BY b.name) FROM block_devices b WHERE b.machine_id = m.id) AS disks`;

/**
 * What the machine page shows: the row of the list with hardware, interfaces with their links, and disks. By system_id or
 * hostname; what the caller may not see does not exist for them: 404. One statement, so all of it is of one moment.
 */
export async function readDetail(
  db: Kysely<Tables>,
  typical: TypicalTimes,
  name: string,
  principal: Principal,
  now: number,
): Promise<MachineDetail> {
  const times = await typical.read(now);
  const rows = await machineRows<DetailRow>(db, { called: name }, principal, DETAIL);
  // A hostname may read like another machine's system_id: the id wins.
  const row = rows.find((one) => one.system_id === name) ?? rows[0];
  if (!row) throw noSuch('machine', name);
  return {
    ...machineView(row, times, now),
    description: row.description,
    hardware: wordsOf(row.hardware_info),
    interfaces: (row.interfaces ?? []).map((nic) => ({
      id: nic.id,
      name: nic.name,
      mac: nic.mac ?? '',
      vendor: nic.vendor,
      product: nic.product,
      linkConnected: nic.link_connected,
      speedMbps: nic.link_speed,
      links: nic.links ?? [],
    })),
    disks: row.disks ?? [],
  };
}

/** hardware_info is a flat object of what dmidecode and lshw told; other values have no place in a table of words. */
export function wordsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  const words: Record<string, string> = {};
  for (const [key, one] of Object.entries(value)) {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') words[key] = String(one);
  }
  return words;
}
