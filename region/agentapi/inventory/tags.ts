import type { Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** Gives the machine an automatic tag, or takes it away. */
export async function applyTag(
  trx: Transaction<Tables>,
  machineId: number,
  name: string,
  wanted: boolean,
): Promise<void> {
  if (wanted) {
    await trx
      .insertInto('tags')
      .values({ name })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await trx
      .insertInto('machine_tags')
      .columns(['machine_id', 'tag_id'])
      .expression((eb) =>
        eb
          .selectFrom('tags')
          .select([eb.val(machineId).as('machine_id'), 'id'])
          .where('name', '=', name),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return;
  }
  await trx
    .deleteFrom('machine_tags')
    .where('machine_id', '=', machineId)
    .where('tag_id', 'in', (eb) => eb.selectFrom('tags').select('id').where('name', '=', name))
    .execute();
}
