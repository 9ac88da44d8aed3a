import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Tables } from './schema.ts';
import { together } from './together.ts';

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
  await together(marking(machines, attemptIds)).execute(db);
}

/** The same as two statements, to go with others. Their text does not depend on the numbers, so they stay prepared. */
export function marking(
  machines: readonly { id: number; systemId: string }[],
  attemptIds: readonly number[] = [],
): RawBuilder<unknown>[] {
  return [
    sql`INSERT INTO body_dirty (machine_id) SELECT unnest(${machines.map(({ id }) => id)}::integer[])`,
    sql`
      INSERT INTO changes (kind, key)
      SELECT 'machine', unnest(${machines.map(({ systemId }) => systemId)}::text[])
      UNION ALL SELECT 'attempt', unnest(${attemptIds.map(String)}::text[])`,
  ];
}
