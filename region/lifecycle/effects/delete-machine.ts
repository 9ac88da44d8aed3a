import type { EffectContext } from './context.ts';

/** Removes the machine with all that is its own. Events and attempts stay, without the reference. */
export async function deleteMachine({ trx, machineId, machine }: EffectContext): Promise<void> {
  const interfaces = trx.selectFrom('interfaces').select('id').where('machine_id', '=', machineId);
  const links = await trx
    .deleteFrom('interface_links')
    .where('interface_id', 'in', interfaces)
    .returning('address_id')
    .execute();
  const spans = links.flatMap(({ address_id }) => (address_id === null ? [] : [address_id]));
  if (spans.length > 0) await trx.deleteFrom('address_spans').where('id', 'in', spans).execute();
  await trx.updateTable('events').set({ machine_id: null }).where('machine_id', '=', machineId).execute();
  await trx.deleteFrom('machines').where('id', '=', machineId).execute();
  await trx.insertInto('changes').values({ kind: 'gone', key: machine.systemId }).execute();
}
