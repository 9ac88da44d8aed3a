import { randomUUID } from 'node:crypto';
import { type Firmware, flatLayout } from '@ingot/core/storage/flat-layout.ts';
import type { Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import type { StoredDisk } from './disks.ts';

async function clearLayout(trx: Transaction<Tables>, machineId: number): Promise<void> {
  const devices = trx.selectFrom('block_devices').select('id').where('machine_id', '=', machineId);
  await trx.deleteFrom('filesystems').where('device_id', 'in', devices).execute();
  // Filesystems on partitions go with them.
  await trx.deleteFrom('partitions').where('device_id', 'in', devices).execute();
  await trx
    .updateTable('block_devices')
    .set({ partition_table_type: null })
    .where('machine_id', '=', machineId)
    .execute();
}

/**
 * Lays out the boot disk flat, as rows that the API shows and the installer follows. The disk is the chosen boot disk,
 * else the first that is large enough; with none the machine stays without a layout.
 */
export async function applyDefaultStorage(
  trx: Transaction<Tables>,
  machineId: number,
  disks: readonly StoredDisk[],
  firmware: Firmware,
): Promise<void> {
  await clearLayout(trx, machineId);
  const { boot_disk_id } = await trx
    .selectFrom('machines')
    .select('boot_disk_id')
    .where('id', '=', machineId)
    .executeTakeFirstOrThrow();
  const chosen = disks.filter((disk) => boot_disk_id === null || disk.id === boot_disk_id);
  const laidOut = chosen
    .map((disk) => ({ disk, layout: flatLayout(disk.size, firmware) }))
    .find(({ layout }) => layout.ok);
  if (!laidOut?.layout.ok) return;
  const { disk, layout } = laidOut;
  await trx.updateTable('block_devices').set({ partition_table_type: 'gpt' }).where('id', '=', disk.id).execute();
  await trx.updateTable('machines').set({ boot_disk_id: disk.id }).where('id', '=', machineId).execute();
  // A GRUB boot partition belongs to the table, not to the model.
  for (const partition of layout.partitions.filter(({ role }) => role !== 'bios_grub')) {
    const { id } = await trx
      .insertInto('partitions')
      .values({
        device_id: disk.id,
        index: partition.number,
        uuid: randomUUID(),
        size: partition.size,
        bootable: partition.bootable,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    if (partition.fstype === null) continue;
    await trx
      .insertInto('filesystems')
      .values({
        partition_id: id,
        fstype: partition.fstype,
        label: partition.label,
        uuid: randomUUID(),
        mount_point: partition.mountPoint,
      })
      .execute();
  }
}
