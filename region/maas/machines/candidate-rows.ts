import type { CandidateDisk, CandidateInterface, CandidateRow, Site } from '@ingot/core/allocate/candidate.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { loadAtlas } from '../network/atlas.ts';
import { planOf } from '../network/specifier.ts';
import type { Person } from '../table.ts';

interface BaseRow extends Omit<CandidateRow, 'zone' | 'pool' | 'disks' | 'interfaces'> {
  zone_id: number;
  zone: string;
  pool_id: number;
  pool: string;
  boot_disk_id: number | null;
}

/** The machines that the person may take: Ready, unlocked, unowned or own (administrators: any). Three queries. */
export async function allocatable(db: Kysely<Tables>, person: Person): Promise<CandidateRow[]> {
  const free = sql`m.status = 'READY' AND NOT m.locked AND (${person.admin} OR m.owner_id IS NULL OR m.owner_id = ${person.id})`;
  const machines = await sql<BaseRow>`
    SELECT m.id, m.system_id AS "systemId", m.hostname, m.hostname || '.' || d.name AS fqdn, m.architecture,
      m.cpu_count AS "cpuCount", m.cpu_speed AS "cpuSpeed", m.memory, m.power_state AS "powerState",
      m.ephemeral_deploy AS "ephemeralDeploy", m.boot_disk_id, u.username AS owner,
      z.id AS zone_id, z.name AS zone, p.id AS pool_id, p.name AS pool,
      ARRAY(SELECT t.name FROM machine_tags mt JOIN tags t ON t.id = mt.tag_id WHERE mt.machine_id = m.id) AS tags
    FROM machines m JOIN domains d ON d.id = m.domain_id JOIN zones z ON z.id = m.zone_id JOIN pools p ON p.id = m.pool_id
    LEFT JOIN users u ON u.id = m.owner_id
    WHERE ${free} ORDER BY m.id`.execute(db);
  const disks = await sql<DiskRow>`
    SELECT b.machine_id, b.id, b.size, b.tags, b.type, b.partition_table_type IS NOT NULL AS partitioned,
      EXISTS (SELECT 1 FROM filesystems f WHERE f.device_id = b.id AND NOT f.acquired) AS formatted,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('id', p.id, 'size', p.size, 'tags', to_jsonb(p.tags),
        'mount', (SELECT f.mount_point FROM filesystems f WHERE f.partition_id = p.id AND NOT f.acquired LIMIT 1),
        'formatted', EXISTS (SELECT 1 FROM filesystems f WHERE f.partition_id = p.id AND NOT f.acquired)) ORDER BY p.index)
        FROM partitions p WHERE p.device_id = b.id), '[]') AS partitions,
      (SELECT f.mount_point FROM filesystems f WHERE f.device_id = b.id AND NOT f.acquired LIMIT 1) AS mount
    FROM block_devices b JOIN machines m ON m.id = b.machine_id WHERE ${free} ORDER BY b.id`.execute(db);
  const interfaces = await sql<CandidateInterface & { machine_id: number }>`
    SELECT i.machine_id, i.id, i.name, i.type, i.vlan_id AS "vlanId", i.link_speed AS "linkSpeed", i.tags,
      COALESCE((SELECT jsonb_agg(jsonb_build_object('subnetId', l.subnet_id, 'ip', host(lower(a.span))) ORDER BY l.id)
        FROM interface_links l LEFT JOIN address_spans a ON a.id = l.address_id WHERE l.interface_id = i.id), '[]') AS links
    FROM interfaces i JOIN machines m ON m.id = i.machine_id WHERE ${free} ORDER BY i.id`.execute(db);
  return machines.rows.map(({ zone_id, zone, pool_id, pool, boot_disk_id, ...row }) => ({
    ...row,
    zone: { id: zone_id, name: zone },
    pool: { id: pool_id, name: pool },
    disks: disksOf(
      disks.rows.filter((disk) => disk.machine_id === row.id),
      boot_disk_id,
    ),
    interfaces: interfaces.rows.filter((nic) => nic.machine_id === row.id),
  }));
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

/** The root is where `/` is mounted; while nothing is laid out, the boot disk, which the flat layout will use. */
function disksOf(rows: readonly DiskRow[], bootDiskId: number | null): CandidateDisk[] {
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

/** What exists, so that a misspelt name in a constraint is an error. */
export async function loadSite(db: Kysely<Tables>): Promise<Site> {
  const [tags, zones, pools, owners, architectures, atlas] = await Promise.all([
    db.selectFrom('tags').select('name').execute(),
    db.selectFrom('zones').select('name').execute(),
    db.selectFrom('pools').select('name').execute(),
    db.selectFrom('users').select('username as name').execute(),
    sql<{ name: string }>`
      SELECT arch || '/' || subarch AS name FROM images UNION SELECT architecture FROM machines WHERE architecture <> ''`.execute(
      db,
    ),
    loadAtlas(db),
  ]);
  const names = (rows: readonly { name: string }[]): string[] => rows.map((row) => row.name);
  return {
    tags: names(tags),
    zones: names(zones),
    pools: names(pools),
    owners: names(owners),
    architectures: names(architectures.rows),
    network: planOf(atlas),
  };
}
