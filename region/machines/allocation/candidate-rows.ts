import type { CandidateDisk, CandidateInterface, CandidateRow } from '@ingot/core/allocate/candidate.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** A machine that may be taken, without its disks and interfaces. */
export interface BaseCandidate {
  row: CandidateRow;
  ownerId: number | null;
  bootDiskId: number | null;
}

export interface Devices {
  disks: CandidateDisk[];
  interfaces: CandidateInterface[];
}

interface BaseRow extends Omit<CandidateRow, 'zone' | 'pool' | 'disks' | 'interfaces'> {
  owner_id: number | null;
  zone_id: number;
  zone: string;
  pool_id: number;
  pool: string;
  boot_disk_id: number | null;
}

/** The machines that are Ready and not locked; of these system ids, or all. One query. */
export async function readCandidates(
  db: Kysely<Tables>,
  systemIds: readonly string[] | null,
): Promise<BaseCandidate[]> {
  const which = systemIds === null ? sql`true` : sql`m.system_id = ANY(${systemIds}::text[])`;
  const { rows } = await sql<BaseRow>`
    SELECT m.id, m.system_id AS "systemId", m.hostname, m.hostname || '.' || d.name AS fqdn, m.architecture,
      m.cpu_count AS "cpuCount", m.cpu_speed AS "cpuSpeed", m.memory, m.power_state AS "powerState",
      m.ephemeral_deploy AS "ephemeralDeploy", m.boot_disk_id, m.owner_id, u.username AS owner,
      z.id AS zone_id, z.name AS zone, p.id AS pool_id, p.name AS pool,
      ARRAY(SELECT t.name FROM machine_tags mt JOIN tags t ON t.id = mt.tag_id WHERE mt.machine_id = m.id) AS tags
    FROM machines m JOIN domains d ON d.id = m.domain_id JOIN zones z ON z.id = m.zone_id JOIN pools p ON p.id = m.pool_id
    LEFT JOIN users u ON u.id = m.owner_id
    WHERE m.status = 'READY' AND NOT m.locked AND ${which}`.execute(db);
  return rows.map(({ owner_id, zone_id, zone, pool_id, pool, boot_disk_id, ...row }) => ({
    row: { ...row, zone: { id: zone_id, name: zone }, pool: { id: pool_id, name: pool }, disks: [], interfaces: [] },
    ownerId: owner_id,
    bootDiskId: boot_disk_id,
  }));
}

/** Disks and interfaces of machines, by machine id; `bootDisks` gives each machine's boot disk. Two queries. */
export async function readDevices(
  db: Kysely<Tables>,
  bootDisks: ReadonlyMap<number, number | null>,
): Promise<Map<number, Devices>> {
  const ids = [...bootDisks.keys()];
  const disks = await sql<DiskRow>`
    SELECT b.machine_id, b.id, b.size, b.tags, b.type, b.partition_table_type IS NOT NULL AS partitioned,
      EXISTS (SELECT 1 FROM filesystems f WHERE f.device_id = b.id AND NOT f.acquired) AS formatted,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('id', p.id, 'size', p.size, 'tags', to_jsonb(p.tags),
        'mount', (SELECT f.mount_point FROM filesystems f WHERE f.partition_id = p.id AND NOT f.acquired LIMIT 1),
        'formatted', EXISTS (SELECT 1 FROM filesystems f WHERE f.partition_id = p.id AND NOT f.acquired)) ORDER BY p.index)
        FROM partitions p WHERE p.device_id = b.id), '[]') AS partitions,
      (SELECT f.mount_point FROM filesystems f WHERE f.device_id = b.id AND NOT f.acquired LIMIT 1) AS mount
    FROM block_devices b WHERE b.machine_id = ANY(${ids}::integer[]) ORDER BY b.id`.execute(db);
  const interfaces = await sql<CandidateInterface & { machine_id: number }>`
    SELECT i.machine_id, i.id, i.name, i.type, i.vlan_id AS "vlanId", i.link_speed AS "linkSpeed", i.tags,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('subnetId', l.subnet_id, 'ip', host(lower(a.span))) ORDER BY l.id)
        FROM interface_links l LEFT JOIN address_spans a ON a.id = l.address_id WHERE l.interface_id = i.id), '[]') AS links
    FROM interfaces i WHERE i.machine_id = ANY(${ids}::integer[]) ORDER BY i.id`.execute(db);
  const disksOf = grouped(disks.rows);
  const interfacesOf = grouped(interfaces.rows);
  return new Map(
    ids.map((id) => [
      id,
      { disks: withRoot(disksOf.get(id) ?? [], bootDisks.get(id) ?? null), interfaces: interfacesOf.get(id) ?? [] },
    ]),
  );
}

interface DiskRow {
  machine_id: number;
  id: number;
  size: number;
  tags: string[];
  type: string;
  partitioned: boolean;
  formatted: boolean;
  mount: string | null;
  partitions: { id: number; size: number; tags: string[]; mount: string | null; formatted: boolean }[];
}

function grouped<Row extends { machine_id: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.machine_id);
    if (group === undefined) groups.set(row.machine_id, [row]);
    else group.push(row);
  }
  return groups;
}

/** The root is where `/` is mounted; while nothing is laid out, the boot disk, which the flat layout will use. */
function withRoot(rows: readonly DiskRow[], bootDiskId: number | null): CandidateDisk[] {
  const mounted = rows.find((row) => row.mount === '/' || row.partitions.some((partition) => partition.mount === '/'));
  const root = mounted ?? rows.find((row) => row.id === bootDiskId) ?? rows.find((row) => row.type === 'physical');
  return rows.map((row) => ({
    id: row.id,
    size: row.size,
    tags: row.tags,
    root: row === root,
    used: row === root || row.partitioned || row.formatted,
    partitions: row.partitions.map((partition) => ({
      id: partition.id,
      size: partition.size,
      tags: partition.tags,
      root: partition.mount === '/',
      used: partition.formatted,
    })),
  }));
}
