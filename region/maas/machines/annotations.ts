import { markMachines } from '../../store/mark.ts';
import { commit } from '../change.ts';
import type { Reply, UserCall } from '../table.ts';
import { conflict, invalidField } from '../wire/errors.ts';
import { lastOf, namesOf } from '../wire/values.ts';
import { findMachine } from './find.ts';
import { oneMachine } from './list.ts';

const KEY = /^[\w.-]{1,255}$/;

/** Sets the given keys, an empty value deletes one, others stay. Only on a machine that the caller owns (409 otherwise). */
export async function setAnnotations(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  if (machine.owner_id !== call.user.id) throw conflict('Only the owner of a machine may set its annotations.');
  const keys = namesOf(call.values).filter((name) => name !== 'op');
  for (const key of keys) if (!KEY.test(key)) throw invalidField(key, 'Invalid character in key name.');
  const pairs = keys.map((key) => ({ machine_id: machine.id, key, value: lastOf(call.values, key) ?? '' }));
  const kept = pairs.filter((pair) => pair.value !== '');
  const dropped = pairs.filter((pair) => pair.value === '').map((pair) => pair.key);
  await commit(call.deps, async (trx) => {
    if (kept.length > 0) {
      await trx
        .insertInto('owner_data')
        .values(kept)
        .onConflict((clash) =>
          clash.columns(['machine_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })),
        )
        .execute();
    }
    if (dropped.length > 0) {
      await trx.deleteFrom('owner_data').where('machine_id', '=', machine.id).where('key', 'in', dropped).execute();
    }
    await markMachines(trx, [{ id: machine.id, systemId: machine.system_id }]);
  });
  return await oneMachine(call.deps, machine.id);
}
