import { API_PREFIX } from '../describe.ts';
import type { Json } from '../wire/json.ts';
import type { BlockDeviceRow, FilesystemRow, MachineAggregates, PartitionRow } from './load.ts';

type JsonObject = { readonly [key: string]: Json };

/** From allocation on a machine shows the copies that deployment works on, so edits of the pool do not change it. */
const SHOWS_ACQUIRED = new Set([
  'ALLOCATED',
  'DEPLOYING',
  'DEPLOYED',
  'FAILED_DEPLOYMENT',
  'RELEASING',
  'FAILED_RELEASING',
  'DISK_ERASING',
  'FAILED_DISK_ERASING',
]);

interface Owner {
  systemId: string;
  status: string;
}

/** Block device object of api-2.0-objects §7. Sizes in bytes. */
export function blockDeviceObject(all: MachineAggregates, owner: Owner, disk: BlockDeviceRow): JsonObject {
  const path = `/dev/disk/by-dname/${disk.name}`;
  const partitions = all.partitions.get(disk.id) ?? [];
  const filesystem = effective(all.deviceFilesystems.get(disk.id), owner.status);
  const used = filesystem === undefined ? partitions.reduce((sum, partition) => sum + partition.size, 0) : disk.size;
  const physical = disk.type === 'physical';
  return {
    id: disk.id,
    system_id: owner.systemId,
    name: disk.name,
    type: disk.type,
    uuid: disk.uuid,
    path,
    model: physical ? disk.model : null,
    serial: physical ? disk.serial : null,
    id_path: disk.id_path,
    size: disk.size,
    block_size: disk.block_size,
    available_size: Math.max(0, disk.size - used),
    used_size: used,
    used_for: usedForDisk(filesystem, disk.partition_table_type, partitions.length),
    tags: disk.tags,
    filesystem: filesystem === undefined ? null : filesystemObject(filesystem),
    partition_table_type: disk.partition_table_type,
    partitions: partitions.map((partition) => partitionObject(all, owner, disk, partition)),
    firmware_version: disk.firmware_version,
    storage_pool: null,
    numa_node: physical ? (disk.numa_node ?? 0) : null,
    resource_uri: `${API_PREFIX}nodes/${owner.systemId}/blockdevices/${disk.id}/`,
  };
}

function partitionObject(
  all: MachineAggregates,
  owner: Owner,
  disk: BlockDeviceRow,
  partition: PartitionRow,
): JsonObject {
  const filesystem = effective(all.partitionFilesystems.get(partition.id), owner.status);
  return {
    id: partition.id,
    system_id: owner.systemId,
    device_id: disk.id,
    uuid: partition.uuid,
    path: `/dev/disk/by-dname/${disk.name}-part${partition.index}`,
    type: 'partition',
    size: partition.size,
    bootable: partition.bootable,
    filesystem: filesystem === undefined ? null : filesystemObject(filesystem),
    used_for: filesystem === undefined ? 'Unused' : usedForFilesystem(filesystem),
    tags: partition.tags,
    resource_uri: `${API_PREFIX}nodes/${owner.systemId}/blockdevices/${disk.id}/partition/${partition.id}`,
  };
}

function effective(rows: readonly FilesystemRow[] | undefined, status: string): FilesystemRow | undefined {
  const acquired = rows?.find((row) => row.acquired);
  const planned = rows?.find((row) => !row.acquired);
  return SHOWS_ACQUIRED.has(status) ? (acquired ?? planned) : planned;
}

function filesystemObject(filesystem: FilesystemRow): JsonObject {
  return {
    fstype: filesystem.fstype,
    label: filesystem.label,
    uuid: filesystem.uuid,
    mount_point: filesystem.mount_point,
    mount_options: filesystem.mount_options,
  };
}

function usedForDisk(filesystem: FilesystemRow | undefined, table: string | null, partitions: number): string {
  if (filesystem !== undefined) return usedForFilesystem(filesystem);
  if (table !== null) return `${table} partitioned with ${partitions} partition${partitions === 1 ? '' : 's'}`;
  return 'Unused';
}

function usedForFilesystem(filesystem: FilesystemRow): string {
  return filesystem.mount_point === null
    ? `Unmounted ${filesystem.fstype} formatted filesystem`
    : `${filesystem.fstype} formatted filesystem mounted at ${filesystem.mount_point}`;
}

/** The chosen boot disk, else the first physical one. */
export function bootDiskOf(disks: readonly BlockDeviceRow[], chosen: number | null): BlockDeviceRow | undefined {
  return disks.find((disk) => disk.id === chosen) ?? disks.find((disk) => disk.type === 'physical');
}
