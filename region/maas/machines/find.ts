import type { Kysely } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import type { Person } from '../table.ts';
import { noMatch } from '../wire/errors.ts';
import { demand, type Guarded, type Permission } from './permissions.ts';
import { isMarked } from './stored.ts';

export interface FoundMachine extends Guarded {
  id: number;
  system_id: string;
  hostname: string;
  status: string;
  power_type: string;
  osystem: string;
  distro_series: string;
  architecture: string;
  agent_name: string;
}

/**
 * The machine if the person may do this with it. Throws 404 for an unknown one, 403 without the permission. `model` is the
 * word in the 404 text, which clients match (`No Machine matches the given query.`).
 */
export async function findMachine(
  db: Kysely<Tables>,
  person: Person,
  systemId: string,
  permission: Permission,
  model = 'Machine',
): Promise<FoundMachine> {
  const row = await select(db, systemId).executeTakeFirst();
  if (row === undefined) throw noMatch(model);
  demand(person, permission, row);
  return row;
}

/** The same with the stored body, in the same query; null when it is missing or a change since then is marked. */
export async function findWithBody(
  db: Kysely<Tables>,
  person: Person,
  systemId: string,
): Promise<FoundMachine & { body: string | null }> {
  const row = await select(db, systemId)
    .leftJoin('machine_bodies as b', 'b.machine_id', 'm.id')
    .select(['b.body', isMarked.as('stale')])
    .executeTakeFirst();
  if (row === undefined) throw noMatch('Machine');
  demand(person, 'view', row);
  return { ...row, body: row.stale ? null : row.body };
}

function select(db: Kysely<Tables>, systemId: string) {
  return db
    .selectFrom('machines as m')
    .select([
      'm.id',
      'm.system_id',
      'm.hostname',
      'm.status',
      'm.owner_id',
      'm.locked',
      'm.power_type',
      'm.osystem',
      'm.distro_series',
      'm.architecture',
      'm.agent_name',
    ])
    .where('m.system_id', '=', systemId);
}
