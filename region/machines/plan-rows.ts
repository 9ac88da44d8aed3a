import { FAST_TRACK } from '@ingot/core/machine/draft.ts';
import type { PlannedDisk, PlannedInterface, PlannedMachine } from '@ingot/core/plan/plan-deploy.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../store/schema.ts';

type Db = Kysely<Tables>;

export interface PlanRows {
  machine: Omit<PlannedMachine, 'ephemeral' | 'kexec'>;
  /** The one that is written first: the boot disk, else the first known. */
  disks: PlannedDisk[];
  interfaces: PlannedInterface[];
}

/** What a plan needs to know of a machine; null when there is no such machine. */
export async function readPlanRows(db: Db, systemId: string): Promise<PlanRows | null> {
  const row = await db
    .selectFrom('machines')
    .select([
      'id',
      'hostname',
      'architecture',
      'bios_boot_method',
      'power_type',
      'power_state',
      'waiting_code',
      'boot_disk_id',
      'boot_interface_id',
    ])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) return null;
  const [disks, links] = await Promise.all([
    db
      .selectFrom('block_devices')
      .select(['name', 'model', 'serial', 'size'])
      .where('machine_id', '=', row.id)
      .where('type', '=', 'physical')
      .orderBy(sql`id = ${row.boot_disk_id}`, (order) => order.desc().nullsLast())
      .orderBy('id')
      .execute(),
    sql<{
      id: number;
      name: string;
      mac: string;
      mode: string | null;
      subnet: string | null;
      address: string | null;
    }>`
      SELECT i.id, i.name, coalesce(i.mac::text, '') AS mac, l.mode, s.cidr::text AS subnet, host(lower(a.span)) AS address
      FROM interfaces i LEFT JOIN interface_links l ON l.interface_id = i.id
      LEFT JOIN subnets s ON s.id = l.subnet_id LEFT JOIN address_spans a ON a.id = l.address_id
      WHERE i.machine_id = ${row.id} AND i.enabled ORDER BY i.name, l.id`.execute(db),
  ]);
  const interfaces = new Map<number, PlannedInterface>();
  for (const { id, name, mac, mode, subnet, address } of links.rows) {
    const known = interfaces.get(id) ?? { name, mac, boot: id === row.boot_interface_id, links: [] };
    if (mode !== null) known.links.push({ mode, subnet, address });
    interfaces.set(id, known);
  }
  const method = row.bios_boot_method;
  return {
    machine: {
      hostname: row.hostname,
      architecture: row.architecture,
      firmware: method === 'uefi' ? 'uefi' : method === null || method === '' ? 'unknown' : 'bios',
      powerType: row.power_type,
      powerState: row.power_state,
      agentWaits: row.waiting_code === FAST_TRACK,
    },
    disks,
    interfaces: [...interfaces.values()],
  };
}
