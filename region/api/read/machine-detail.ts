import type { MachineDetail, MachineView } from '@ingot/contract/native.ts';
import { sql, type Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';

type Moment = Transaction<Tables>;

/** What the machine page shows beside the row of the list: hardware, interfaces with their links, disks. */
export async function readDetail(moment: Moment, machineId: number, view: MachineView): Promise<MachineDetail> {
  const row = await moment
    .selectFrom('machines')
    .select(['description', 'hardware_info'])
    .where('id', '=', machineId)
    .executeTakeFirstOrThrow();
  const interfaces = await moment
    .selectFrom('interfaces')
    .select(['id', 'name', 'mac', 'vendor', 'product', 'link_connected', 'link_speed'])
    .where('machine_id', '=', machineId)
    .orderBy('name')
    .execute();
  const links = await sql<{ interface_id: number; mode: string; subnet: string | null; address: string | null }>`
    SELECT l.interface_id, l.mode, s.cidr::text AS subnet, host(lower(a.span)) AS address
    FROM interface_links l JOIN interfaces i ON i.id = l.interface_id
    LEFT JOIN subnets s ON s.id = l.subnet_id LEFT JOIN address_spans a ON a.id = l.address_id
    WHERE i.machine_id = ${machineId} ORDER BY l.id`.execute(moment);
  const disks = await moment
    .selectFrom('block_devices')
    .select(['id', 'name', 'model', 'serial', 'size', 'tags'])
    .where('machine_id', '=', machineId)
    .orderBy('name')
    .execute();
  return {
    ...view,
    description: row.description,
    hardware: wordsOf(row.hardware_info),
    interfaces: interfaces.map((nic) => ({
      id: nic.id,
      name: nic.name,
      mac: nic.mac ?? '',
      vendor: nic.vendor,
      product: nic.product,
      linkConnected: nic.link_connected,
      speedMbps: nic.link_speed,
      links: links.rows
        .filter((link) => link.interface_id === nic.id)
        .map(({ mode, subnet, address }) => ({ mode, subnet, address })),
    })),
    disks,
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
