import type { Kysely } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** Active accounts of people, by name. */
export async function usersOf(db: Kysely<Tables>): Promise<{ username: string; admin: boolean; email: string }[]> {
  const rows = await db
    .selectFrom('users')
    .select(['username', 'email', 'is_superuser'])
    .where('is_system', '=', false)
    .where('is_active', '=', true)
    .orderBy('username')
    .execute();
  return rows.map((row) => ({ username: row.username, admin: row.is_superuser, email: row.email }));
}
