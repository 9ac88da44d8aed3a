import { type Kysely, type Selectable, sql } from 'kysely';
import type {
  BlockDevicesTable,
  FilesystemsTable,
  InterfacesTable,
  MachinesTable,
  PartitionsTable,
  Tables,
} from '../../store/schema.ts';
import { type Atlas, loadAtlas } from '../network/atlas.ts';

export interface MachineRow extends Selectable<MachinesTable> {
  zone_name: string;
  zone_description: string;
  pool_name: string;
  pool_description: string;
  domain_name: string;
  domain_authoritative: boolean;
  domain_ttl: number | null;
  owner_name: string | null;
  owner_data: Record<string, string>;
  tag_names: string[];
  event_type: string | null;
  event_description: string | null;
}

export type InterfaceRow = Selectable<InterfacesTable>;
export type BlockDeviceRow = Selectable<BlockDevicesTable>;
export type PartitionRow = Selectable<PartitionsTable>;
export type FilesystemRow = Selectable<FilesystemsTable>;

export interface LinkRow {
  id: number;
  interface_id: number;
  mode: string;
  subnet_id: number | null;
  ip: string | null;
}

export interface LeaseRow {
  mac: string;
  ip: string;
  subnet_id: number | null;
}

export interface ResultStatus {
  set_id: number;
  status: number;
  hardware_type: number;
}

/** Everything that the bodies of some machines are made of, grouped by what it hangs on. */
export interface MachineAggregates {
  machines: MachineRow[];
  interfaces: ReadonlyMap<number, InterfaceRow[]>;
  links: ReadonlyMap<number, LinkRow[]>;
  leases: ReadonlyMap<string, LeaseRow[]>;
  disks: ReadonlyMap<number, BlockDeviceRow[]>;
  partitions: ReadonlyMap<number, PartitionRow[]>;
  deviceFilesystems: ReadonlyMap<number, FilesystemRow[]>;
  partitionFilesystems: ReadonlyMap<number, FilesystemRow[]>;
  results: ReadonlyMap<number, ResultStatus[]>;
  atlas: Atlas;
}

/** Events at this level and above speak for the machine (lifecycle.md §16). */
export const INFO = 20;

/** A constant number of queries for any number of machines. Machines that do not exist are simply missing. */
export async function loadAggregates(db: Kysely<Tables>, ids: readonly number[]): Promise<MachineAggregates> {
  const machines = await loadMachines(db, ids);
  const interfaces = await db
    .selectFrom('interfaces')
    .selectAll()
    .where('machine_id', '=', anyOf(ids))
    .orderBy('id')
    .execute();
  const macs = interfaces.flatMap((row) => (row.mac === null ? [] : [row.mac]));
  const links = await loadLinks(
    db,
    interfaces.map((row) => row.id),
  );
  const leases = await db
    .selectFrom('leases')
    .distinctOn(['mac', sql`family(ip)`])
    .select(['mac', 'subnet_id', sql<string>`host(ip)`.as('ip')])
    .where('mac', '=', sql<string>`ANY(${macs}::text[])`)
    .orderBy('mac')
    .orderBy(sql`family(ip)`)
    .orderBy('seen', 'desc')
    .execute();
  const disks = await db
    .selectFrom('block_devices')
    .selectAll()
    .where('machine_id', '=', anyOf(ids))
    .orderBy('id')
    .execute();
  const diskIds = disks.map((row) => row.id);
  const partitions = await db
    .selectFrom('partitions')
    .selectAll()
    .where('device_id', '=', anyOf(diskIds))
    .orderBy('device_id')
    .orderBy('index')
    .execute();
  const partitionIds = partitions.map((row) => row.id);
  const filesystems = await db
    .selectFrom('filesystems')
    .selectAll()
    .where((eb) => eb.or([eb('device_id', '=', anyOf(diskIds)), eb('partition_id', '=', anyOf(partitionIds))]))
    .orderBy('id')
    .execute();
  const sets = machines.flatMap((row) => [row.set_commissioning, row.set_testing, row.set_installation]);
  const results = await db
    .selectFrom('script_results')
    .select(['set_id', 'status', 'hardware_type'])
    .where('set_id', '=', anyOf(sets.filter((id) => id !== null)))
    .where('suppressed', '=', false)
    .execute();
  return {
    machines,
    interfaces: group(interfaces, (row) => row.machine_id),
    links: group(links, (row) => row.interface_id),
    leases: group(leases, (row) => row.mac),
    disks: group(disks, (row) => row.machine_id),
    partitions: group(partitions, (row) => row.device_id),
    deviceFilesystems: group(filesystems, (row) => row.device_id),
    partitionFilesystems: group(filesystems, (row) => row.partition_id),
    results: group(results, (row) => row.set_id),
    atlas: await loadAtlas(db),
  };
}

const anyOf = (ids: readonly number[]) => sql<number>`ANY(${ids}::integer[])`;

async function loadMachines(db: Kysely<Tables>, ids: readonly number[]): Promise<MachineRow[]> {
  return await db
    .selectFrom('machines as m')
    .innerJoin('zones as z', 'z.id', 'm.zone_id')
    .innerJoin('pools as p', 'p.id', 'm.pool_id')
    .innerJoin('domains as d', 'd.id', 'm.domain_id')
    .leftJoin('users as u', 'u.id', 'm.owner_id')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('events as e')
          .select(['e.type as event_type', 'e.description as event_description'])
          .whereRef('e.system_id', '=', 'm.system_id')
          .where('e.level', '>=', INFO)
          .orderBy('e.id', 'desc')
          .limit(1)
          .as('last_event'),
      (join) => join.onTrue(),
    )
    .selectAll('m')
    .select([
      'z.name as zone_name',
      'z.description as zone_description',
      'p.name as pool_name',
      'p.description as pool_description',
      'd.name as domain_name',
      'd.authoritative as domain_authoritative',
      'd.ttl as domain_ttl',
      'u.username as owner_name',
      'last_event.event_type',
      'last_event.event_description',
      sql<
        Record<string, string>
      >`COALESCE((SELECT jsonb_object_agg(o.key, o.value) FROM owner_data o WHERE o.machine_id = m.id), '{}')`.as(
        'owner_data',
      ),
      sql<
        string[]
      >`ARRAY(SELECT t.name FROM machine_tags mt JOIN tags t ON t.id = mt.tag_id WHERE mt.machine_id = m.id ORDER BY t.name)`.as(
        'tag_names',
      ),
    ])
    .where('m.id', '=', anyOf(ids))
    .orderBy('m.id')
    .execute();
}

async function loadLinks(db: Kysely<Tables>, interfaceIds: readonly number[]): Promise<LinkRow[]> {
  return await db
    .selectFrom('interface_links as l')
    .leftJoin('address_spans as a', 'a.id', 'l.address_id')
    .select(['l.id', 'l.interface_id', 'l.mode', 'l.subnet_id', sql<string | null>`host(lower(a.span))`.as('ip')])
    .where('l.interface_id', '=', anyOf(interfaceIds))
    .orderBy('l.id')
    .execute();
}

function group<Row, Key extends string | number>(
  rows: readonly Row[],
  keyOf: (row: Row) => Key | null,
): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    if (key === null) continue;
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [row]);
    else list.push(row);
  }
  return groups;
}
