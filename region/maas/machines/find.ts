import type { Kysely } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import type { Person } from '../table.ts';
import { noMatch } from '../wire/errors.ts';
import { demand, type Guarded, type Permission } from './permissions.ts';

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
  const row = await db
    .selectFrom('machines')
    .select([
      'id',
      'system_id',
      'hostname',
      'status',
      'owner_id',
      'locked',
      'power_type',
      'osystem',
      'distro_series',
      'architecture',
      'agent_name',
    ])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (row === undefined) throw noMatch(model);
  demand(person, permission, row);
  return row;
}
