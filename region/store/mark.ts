import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './schema.ts';

/**
 * Says that something shown of these machines changed: their stored MAAS body is stale and streams must tell. Call it in
 * the transaction that changed them, and `changes.announce()` after its commit. Attempts that changed with them are told too.
 */
export async function markMachines(
  db: Kysely<Tables> | Transaction<Tables>,
  machines: readonly { id: number; systemId: string }[],
  attemptIds: readonly number[] = [],
): Promise<void> {
  if (machines.length === 0) return;
  await db
    .with('marked', (cte) =>
      cte
        .insertInto('body_dirty')
        .values(machines.map(({ id }) => ({ machine_id: id })))
        .returning('id'),
    )
    .insertInto('changes')
    .values([
      ...machines.map(({ systemId }) => ({ kind: 'machine', key: systemId })),
      ...attemptIds.map((id) => ({ kind: 'attempt', key: String(id) })),
    ])
    .execute();
}
