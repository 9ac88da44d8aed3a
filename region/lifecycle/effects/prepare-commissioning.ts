import type { EffectContext } from './context.ts';

/** Forgets the storage layout and the addresses of before, so that what the machine reports can be laid out anew. */
export async function prepareCommissioning(
  { trx, machineId }: EffectContext,
  clear: { clearStorage: boolean; clearNetwork: boolean },
): Promise<void> {
  if (clear.clearStorage) {
    const devices = trx.selectFrom('block_devices').select('id').where('machine_id', '=', machineId);
    const partitions = trx.selectFrom('partitions').select('id').where('device_id', 'in', devices);
    await trx
      .deleteFrom('filesystems')
      .where((eb) => eb.or([eb('device_id', 'in', devices), eb('partition_id', 'in', partitions)]))
      .execute();
    await trx.deleteFrom('partitions').where('device_id', 'in', devices).execute();
    await trx.deleteFrom('block_devices').where('machine_id', '=', machineId).where('type', '<>', 'physical').execute();
    await trx
      .updateTable('block_devices')
      .set({ partition_table_type: null })
      .where('machine_id', '=', machineId)
      .execute();
  }
  if (clear.clearNetwork) {
    const interfaces = trx.selectFrom('interfaces').select('id').where('machine_id', '=', machineId);
    const gone = await trx
      .deleteFrom('interface_links')
      .where('interface_id', 'in', interfaces)
      .returning('address_id')
      .execute();
    const spans = gone.flatMap(({ address_id }) => (address_id === null ? [] : [address_id]));
    if (spans.length > 0) await trx.deleteFrom('address_spans').where('id', 'in', spans).execute();
  }
}
