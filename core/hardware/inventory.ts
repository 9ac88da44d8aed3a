/** Outputs of the inventory tools as the agent sends them; the shape is checked where they cross the wire. */
export interface InventoryText {
  firmware: 'bios' | 'uefi';
  lshwXml: string;
  /** `lsblk --json --bytes -O` */
  lsblk: string;
  /** `ip -j -d address` */
  ipAddress: string;
  /** Keywords of `dmidecode -s` → value. */
  dmi: Record<string, string>;
  cpuinfo: string;
  meminfo: string;
  ethernet: EthernetText[];
  modaliases: string[];
  cmdline: string;
  /** Kernel name of a disk → its name below /dev/disk/by-id. */
  diskLinks?: Record<string, string>;
}

export interface EthernetText {
  name: string;
  mac: string;
  driver: string;
  vendor: string;
  product: string;
  firmware: string;
  linkDetected: boolean;
  speedMbps: number;
  maxSpeedMbps: number;
}

/** Longest tool output that is parsed. lshw of the largest servers stays far below. */
export const MAX_OUTPUT = 16 * 1024 * 1024;

/** Parse a tool's JSON; null, with a warning, when it is too long or no JSON. */
export function parseJsonOutput(name: string, text: string, warn: (text: string) => void): unknown {
  if (text.trim() === '') return null;
  if (text.length > MAX_OUTPUT) {
    warn(`${name}: output of ${text.length} characters is too long`);
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    warn(`${name}: output is no JSON`);
    return null;
  }
}

/** A value's field, when the value is an object. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** A field as text: tools print numbers and null in places. */
export function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found.trim() : typeof found === 'number' ? String(found) : '';
}

/** A field as a number; older tools print numbers as text. Null when it is none. */
export function numberField(value: unknown, name: string): number | null {
  const found = field(value, name);
  const number = typeof found === 'string' && found !== '' ? Number(found) : found;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** A field as a truth: `true`, `1` or `"1"`. */
export function booleanField(value: unknown, name: string): boolean {
  const found = field(value, name);
  return found === true || found === 1 || found === '1';
}

/** A field as a list; empty when it is none. */
export function listField(value: unknown, name: string): unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}
