import { createHash, randomBytes } from 'node:crypto';
import type { RegionDeps } from '../deps.ts';
import { readSettings } from '../store/settings.ts';
import type { User } from './users.ts';

type Deps = Pick<RegionDeps, 'db'>;

const hash = (id: string): Buffer => createHash('sha256').update(id).digest();

/** A new session; the id (256 bits) goes into the cookie, only its hash is stored. Lasts `session_length`, 14 days. */
export async function createSession(deps: Deps, userId: number): Promise<{ id: string; expires: Date }> {
  const { session_length } = await readSettings(deps.db);
  const id = randomBytes(32).toString('base64url');
  const expires = new Date(Date.now() + session_length * 1000);
  await deps.db
    .insertInto('sessions')
    .values({ id_hash: hash(id), user_id: userId, expires })
    .execute();
  return { id, expires };
}

/** Who has this session; null when it is unknown, over, or the account is inactive. */
export async function sessionUser(deps: Deps, id: string): Promise<User | null> {
  const row = await deps.db
    .selectFrom('sessions as s')
    .innerJoin('users as u', 'u.id', 's.user_id')
    .select(['u.id', 'u.username', 'u.email', 'u.is_superuser'])
    .where('s.id_hash', '=', hash(id))
    .where('s.expires', '>', new Date())
    .where('u.is_active', '=', true)
    .executeTakeFirst();
  return row ? { id: row.id, username: row.username, email: row.email, isAdmin: row.is_superuser } : null;
}

export async function endSession(deps: Deps, id: string): Promise<void> {
  await deps.db.deleteFrom('sessions').where('id_hash', '=', hash(id)).execute();
}
