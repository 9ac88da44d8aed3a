import type { Kysely } from 'kysely';
import type { Tables } from '../store/schema.ts';
import { noSuch } from './failure.ts';
import { maySee, type Principal } from './principal.ts';

export interface FoundMachine {
  id: number;
  systemId: string;
  hostname: string;
  ownerId: number | null;
}

/**
 * The machine of this system_id or hostname. What the caller may not see does not exist for them: 404, as for an
 * unknown name, so that names cannot be tried out.
 */
export async function findMachine(db: Kysely<Tables>, principal: Principal, name: string): Promise<FoundMachine> {
  const rows = await db
    .selectFrom('machines')
    .select(['id', 'system_id', 'hostname', 'owner_id'])
    .where('node_type', '=', 0)
    .where((eb) => eb.or([eb('system_id', '=', name), eb('hostname', '=', name.toLowerCase())]))
    .limit(2)
    .execute();
  // A hostname may read like another machine's system_id: the id wins.
  const row = rows.find((one) => one.system_id === name) ?? rows[0];
  if (!row || !maySee(principal, row.owner_id)) throw noSuch('machine', name);
  return { id: row.id, systemId: row.system_id, hostname: row.hostname, ownerId: row.owner_id };
}
