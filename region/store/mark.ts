import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './schema.ts';

/**
 * Says that something shown of these machines changed: their stored MAAS body is stale and streams must tell. Call it in
 * the transaction that changed them, and `changes.announce()` after its commit.
 */
export async function markMachines(
  db: Kysely<Tables> | Transaction<Tables>,
  machines: readonly { id: number; systemId: string }[],
): Promise<void> {
  if (machines.length === 0) return;
  await db
    .insertInto('body_dirty')
    // In id order, so that two markers cannot deadlock.
    .values([...machines].sort((a, b) => a.id - b.id).map(({ id }) => ({ machine_id: id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('changes')
    .values(machines.map(({ systemId }) => ({ kind: 'machine', key: systemId })))
    .execute();
}
