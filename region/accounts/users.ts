import type { RegionDeps } from '../deps.ts';
import { sqlState, UNIQUE_VIOLATION } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';
import { createToken } from './api-tokens.ts';
import { hashPassword, verifyPassword } from './passwords.ts';

export interface User {
  id: number;
  username: string;
  email: string;
  isAdmin: boolean;
}

const USERNAME = /^[\w.@+-]{1,150}$/;

/** Makes an account with one API key. Throws Problem for a bad or taken name or an empty password. */
export async function createUser(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  account: { username: string; password: string; email?: string; isAdmin: boolean },
): Promise<User> {
  const { username, password, email = '', isAdmin } = account;
  if (!USERNAME.test(username)) {
    throw new Problem('user.name_invalid', {}, { field: 'username' });
  }
  if (password === '' || password.length > 1024) {
    throw new Problem('user.password_invalid', {}, { field: 'password' });
  }
  const password_hash = await hashPassword(password);
  try {
    const row = await deps.db
      .insertInto('users')
      .values({ username, email, password_hash, is_superuser: isAdmin })
      .returning('id')
      .executeTakeFirstOrThrow();
    await createToken(deps, row.id);
    return { id: row.id, username, email, isAdmin };
  } catch (error) {
    if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
    throw new Problem('user.exists', {}, { field: 'username' });
  }
}

const columns = ['id', 'username', 'email', 'is_superuser', 'password_hash', 'is_active', 'is_system'] as const;

/** The account for a name and password; null for a wrong pair, an inactive or a system account. */
export async function verifyLogin(
  deps: Pick<RegionDeps, 'db'>,
  username: string,
  password: string,
): Promise<User | null> {
  const row = await deps.db.selectFrom('users').select(columns).where('username', '=', username).executeTakeFirst();
  const matches = await verifyPassword(password.slice(0, 1024), row?.password_hash ?? null);
  if (!row || !matches || !row.is_active || row.is_system) return null;
  return { id: row.id, username: row.username, email: row.email, isAdmin: row.is_superuser };
}

/** An active account by name; null when there is none. */
export async function findUser(deps: Pick<RegionDeps, 'db'>, username: string): Promise<User | null> {
  const row = await deps.db.selectFrom('users').select(columns).where('username', '=', username).executeTakeFirst();
  if (!row?.is_active || row.is_system) return null;
  return { id: row.id, username: row.username, email: row.email, isAdmin: row.is_superuser };
}

/** The oldest administrator: whom the local socket counts as. Null before `createadmin`. */
export async function firstAdmin(deps: Pick<RegionDeps, 'db'>): Promise<User | null> {
  const row = await deps.db
    .selectFrom('users')
    .select(columns)
    .where('is_superuser', '=', true)
    .where('is_system', '=', false)
    .where('is_active', '=', true)
    .orderBy('id')
    .executeTakeFirst();
  return row ? { id: row.id, username: row.username, email: row.email, isAdmin: true } : null;
}

export async function setPassword(deps: Pick<RegionDeps, 'db'>, userId: number, password: string): Promise<void> {
  const password_hash = await hashPassword(password);
  await deps.db.updateTable('users').set({ password_hash }).where('id', '=', userId).execute();
  await deps.db.deleteFrom('sessions').where('user_id', '=', userId).execute();
}
