import { timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { sealedIdentity } from '../store/sealed-identity.ts';
import { KEY_LENGTHS, randomKey } from './random-key.ts';
import type { User } from './users.ts';

type Deps = Pick<RegionDeps, 'db' | 'sealer'>;

export interface ApiToken {
  id: number;
  name: string;
  consumerKey: string;
  tokenKey: string;
  tokenSecret: string;
}

/** `consumer:token:secret`, the form that clients are given. */
export const formatToken = (token: ApiToken): string => `${token.consumerKey}:${token.tokenKey}:${token.tokenSecret}`;

export async function createToken(deps: Deps, userId: number, name = 'MAAS consumer'): Promise<ApiToken> {
  const consumerKey = randomKey(KEY_LENGTHS.consumer);
  const tokenKey = randomKey(KEY_LENGTHS.token);
  const tokenSecret = randomKey(KEY_LENGTHS.secret);
  const row = await deps.db
    .insertInto('api_tokens')
    .values({
      user_id: userId,
      name,
      consumer_key: consumerKey,
      token_key: tokenKey,
      token_secret: deps.sealer.seal(tokenSecret, sealedIdentity.apiToken(tokenKey)),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id: row.id, name, consumerKey, tokenKey, tokenSecret };
}

/** Oldest first, secrets opened. */
export async function listTokens(deps: Deps, userId: number): Promise<ApiToken[]> {
  const rows = await deps.db.selectFrom('api_tokens').selectAll().where('user_id', '=', userId).orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    consumerKey: row.consumer_key,
    tokenKey: row.token_key,
    tokenSecret: deps.sealer.open(row.token_secret, sealedIdentity.apiToken(row.token_key)).toString('utf8'),
  }));
}

/** False when the user has no such token. */
export async function deleteToken(deps: Pick<RegionDeps, 'db'>, userId: number, tokenKey: string): Promise<boolean> {
  const gone = await deps.db
    .deleteFrom('api_tokens')
    .where('user_id', '=', userId)
    .where('token_key', '=', tokenKey)
    .executeTakeFirst();
  return gone.numDeletedRows > 0n;
}

export interface TokenKeys {
  consumerKey: string;
  tokenKey: string;
}

/** Whose token this is and the secret to check a signature with; null for an unknown pair or an inactive account. */
export async function findToken(
  deps: Deps,
  consumerKey: string,
  tokenKey: string,
): Promise<{ user: User; secret: string } | null> {
  const [found = null] = await findTokens(deps, [{ consumerKey, tokenKey }]);
  return found;
}

/** The same for several pairs in one query, in their order. */
export async function findTokens(
  deps: Deps,
  pairs: readonly TokenKeys[],
): Promise<({ user: User; secret: string } | null)[]> {
  const rows = await deps.db
    .selectFrom('api_tokens as t')
    .innerJoin('users as u', 'u.id', 't.user_id')
    .select(['t.token_key', 't.consumer_key', 't.token_secret', 'u.id', 'u.username', 'u.email', 'u.is_superuser'])
    .where(sql<boolean>`t.token_key = ANY(${pairs.map((pair) => pair.tokenKey)}::text[])`)
    .where('u.is_active', '=', true)
    .execute();
  return pairs.map(({ consumerKey, tokenKey }) => {
    const row = rows.find((one) => one.token_key === tokenKey && one.consumer_key === consumerKey);
    if (!row) return null;
    const secret = deps.sealer.open(row.token_secret, sealedIdentity.apiToken(tokenKey)).toString('utf8');
    return { user: { id: row.id, username: row.username, email: row.email, isAdmin: row.is_superuser }, secret };
  });
}

/** The account of a whole key, `consumer:token:secret`; null when it is not right. */
export async function userOfKey(deps: Deps, key: string): Promise<User | null> {
  const [consumerKey = '', tokenKey = '', secret = '', more] = key.trim().split(':');
  if (more !== undefined || tokenKey === '') return null;
  const found = await findToken(deps, consumerKey, tokenKey);
  if (!found) return null;
  const expected = Buffer.from(found.secret);
  const given = Buffer.from(secret);
  return expected.length === given.length && timingSafeEqual(expected, given) ? found.user : null;
}

/** Remembers a nonce; false when it was used before by this token. Kept as long as timestamps are accepted. */
export async function useNonce(
  deps: Pick<RegionDeps, 'db'>,
  consumerKey: string,
  tokenKey: string,
  nonce: string,
): Promise<boolean> {
  const [isNew = false] = await useNonces(deps, [{ consumerKey, tokenKey, nonce }]);
  return isNew;
}

/** The same for several in one statement, in their order; of equal ones among them the first is new. */
export async function useNonces(
  deps: Pick<RegionDeps, 'db'>,
  used: readonly (TokenKeys & { nonce: string })[],
): Promise<boolean[]> {
  const keyOf = (one: TokenKeys & { nonce: string }) => JSON.stringify([one.consumerKey, one.tokenKey, one.nonce]);
  const first = new Map(used.toReversed().map((one) => [keyOf(one), one]));
  // In one order everywhere, so that two processes cannot wait for each other.
  const rows = [...first].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  // A text that does not depend on their number, so that it stays prepared.
  const { rows: made } = await sql<{ consumer_key: string; token_key: string; nonce: string }>`
    INSERT INTO oauth_nonces (consumer_key, token_key, nonce)
    SELECT * FROM unnest(${rows.map((one) => one.consumerKey)}::text[], ${rows.map((one) => one.tokenKey)}::text[],
      ${rows.map((one) => one.nonce)}::text[])
    ON CONFLICT DO NOTHING RETURNING consumer_key, token_key, nonce`.execute(deps.db);
  const isNew = new Set(
    made.map((row) => keyOf({ consumerKey: row.consumer_key, tokenKey: row.token_key, nonce: row.nonce })),
  );
  return used.map((one) => isNew.has(keyOf(one)) && first.get(keyOf(one)) === one);
}
