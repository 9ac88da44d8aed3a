import type { DiskFact } from '@ingot/core/hardware/disks.ts';
import type { Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';

export interface StoredDisk {
  id: number;
  name: string;
  size: number;
}

/** Makes the machine's physical disks those that it reports; the same disk is known by serial, else by its path. */
export async function applyDisks(
  trx: Transaction<Tables>,
  machineId: number,
  facts: readonly DiskFact[],
): Promise<StoredDisk[]> {
  const before = await trx
    .selectFrom('block_devices')
    .select(['id', 'serial', 'model', 'id_path'])
    .where('machine_id', '=', machineId)
    .where('type', '=', 'physical')
    .orderBy('id')
    .execute();
  const left = new Map(before.map((row) => [row.id, row]));
  const stored: StoredDisk[] = [];
  for (const fact of facts) {
    const known = [...left.values()].find((row) =>
      fact.serial !== null ? row.serial === fact.serial && row.model === fact.model : row.id_path === fact.idPath,
    );
    const values = {
      name: fact.name,
      model: fact.model,
      serial: fact.serial,
      size: fact.size,
      block_size: fact.blockSize,
      id_path: fact.idPath,
      firmware_version: fact.firmwareVersion,
      tags: fact.tags,
    };
    if (known) left.delete(known.id);
    const { id } = known
      ? await trx
          .updateTable('block_devices')
          .set(values)
          .where('id', '=', known.id)
          .returning('id')
          .executeTakeFirstOrThrow()
      : await trx
          .insertInto('block_devices')
          .values({ ...values, machine_id: machineId })
          .returning('id')
          .executeTakeFirstOrThrow();
    stored.push({ id, name: fact.name, size: fact.size });
  }
  const missing = [...left.keys()];
  if (missing.length > 0) {
    await trx
      .updateTable('machines')
      .set({ boot_disk_id: null })
      .where('id', '=', machineId)
      .where('boot_disk_id', 'in', missing)
      .execute();
    await trx.deleteFrom('block_devices').where('id', 'in', missing).execute();
  }
  return stored;
}
