import type { ConfiguredInterface, ConfiguredLink, ConfiguredSubnet } from '@ingot/core/network/network-config.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../store/schema.ts';

type Db = Kysely<Tables>;

export interface InstallDisk {
  name: string;
  serial: string | null;
  idPath: string | null;
  size: number;
  partitions: { index: number; uuid: string; filesystemUuid: string | null }[];
}

/** The disk to install on: the boot disk, else the first one. Null when the machine has none. */
export async function installDisk(db: Db, machineId: number, bootDiskId: number | null): Promise<InstallDisk | null> {
  const disk = await db
    .selectFrom('block_devices')
    .select(['id', 'name', 'serial', 'id_path', 'size'])
    .where('machine_id', '=', machineId)
    .where('type', '=', 'physical')
    .orderBy(sql`id = ${bootDiskId}`, (order) => order.desc().nullsLast())
    .orderBy('id')
    .executeTakeFirst();
  if (!disk) return null;
  const partitions = await db
    .selectFrom('partitions as p')
    .leftJoin('filesystems as f', (join) => join.onRef('f.partition_id', '=', 'p.id').on('f.acquired', '=', false))
    .select(['p.index', 'p.uuid', 'f.uuid as filesystem_uuid'])
    .where('p.device_id', '=', disk.id)
    .execute();
  return {
    name: disk.name,
    serial: disk.serial,
    idPath: disk.id_path,
    size: disk.size,
    partitions: partitions.map(({ index, uuid, filesystem_uuid }) => ({
      index,
      uuid,
      filesystemUuid: filesystem_uuid,
    })),
  };
}

export async function interfacesOf(db: Db, machineId: number): Promise<ConfiguredInterface[]> {
  const rows = await db
    .selectFrom('interfaces as i')
    .leftJoin('vlans as v', 'v.id', 'i.vlan_id')
    .select(['i.id', 'i.name', 'i.mac', 'i.enabled', 'i.vlan_id', 'v.mtu'])
    .where('i.machine_id', '=', machineId)
    .where('i.type', '=', 'physical')
    .orderBy('i.id')
    .execute();
  return rows.flatMap(({ id, name, mac, enabled, vlan_id, mtu }) =>
    mac === null ? [] : [{ id, name, mac, enabled, mtu, connected: vlan_id !== null }],
  );
}

export async function linksOf(db: Db, machineId: number): Promise<ConfiguredLink[]> {
  const rows = await db
    .selectFrom('interface_links as l')
    .innerJoin('interfaces as i', 'i.id', 'l.interface_id')
    .leftJoin('address_spans as a', 'a.id', 'l.address_id')
    .select(['l.interface_id', 'l.mode', 'l.subnet_id', sql<string | null>`host(lower(a.span))`.as('address')])
    .where('i.machine_id', '=', machineId)
    .orderBy('l.id')
    .execute();
  return rows.map((row) => ({
    interfaceId: row.interface_id,
    // Checked by the column's constraint.
    mode: row.mode as ConfiguredLink['mode'],
    subnetId: row.subnet_id,
    address: row.address,
  }));
}

export async function subnetsOfLinks(db: Db, machineId: number): Promise<ConfiguredSubnet[]> {
  const rows = await db
    .selectFrom('subnets')
    .select([
      'id',
      'cidr',
      sql<string | null>`host(gateway_ip)`.as('gateway'),
      sql<string[]>`ARRAY(SELECT host(d) FROM unnest(dns_servers) d)`.as('dns'),
    ])
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('interface_links as l')
        .innerJoin('interfaces as i', 'i.id', 'l.interface_id')
        .select('l.subnet_id')
        .where('i.machine_id', '=', machineId)
        .where('l.subnet_id', 'is not', null)
        .$castTo<{ subnet_id: number }>(),
    )
    .execute();
  return rows.map(({ id, cidr, gateway, dns }) => ({ id, cidr, gateway, dnsServers: dns }));
}

/** Kernel options of the machine's tags, by tag name. */
export async function tagKernelOptions(db: Db, machineId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('tags as t')
    .innerJoin('machine_tags as m', 'm.tag_id', 't.id')
    .select('t.kernel_opts')
    .where('m.machine_id', '=', machineId)
    .where('t.kernel_opts', '<>', '')
    .orderBy('t.name')
    .execute();
  return rows.map(({ kernel_opts }) => kernel_opts);
}
