import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './schema.ts';

/**
 * Runs reads that belong together on one snapshot of the database: what they find was true at one moment. Statements of
 * their own would each see a later one, and show a machine whose attempt has ended in the status from before. Never a
 * serialization failure, since nothing is written. `read` must not use other connections: with all of them in reads that
 * wait for one more, nobody would get it.
 */
export function inOneMoment<T>(db: Kysely<Tables>, read: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(read);
}
