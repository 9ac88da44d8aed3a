import type { Kysely } from 'kysely';
import { findInstanceToken } from '../accounts/instance-tokens.ts';
import type { RegionDeps } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { isSignedWith, type OauthHeader } from './oauth.ts';

/** What a deployed machine may learn about itself. */
export interface Instance {
  machineId: number;
  systemId: string;
  hostname: string;
  domain: string;
  status: string;
  attemptId: number | null;
  osystem: string;
  distroSeries: string;
  architecture: string;
  /** Owner's public keys. */
  sshKeys: string[];
}

async function instanceOf(db: Kysely<Tables>, systemId: string): Promise<Instance | null> {
  const row = await db
    .selectFrom('machines as m')
    .innerJoin('domains as d', 'd.id', 'm.domain_id')
    .select([
      'm.id',
      'm.system_id',
      'm.hostname',
      'd.name as domain',
      'm.status',
      'm.attempt_id',
      'm.owner_id',
      'm.osystem',
      'm.distro_series',
      'm.architecture',
    ])
    .where('m.system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) return null;
  const keys =
    row.owner_id === null
      ? []
      : await db.selectFrom('ssh_keys').select('key').where('user_id', '=', row.owner_id).orderBy('id').execute();
  return {
    machineId: row.id,
    systemId: row.system_id,
    hostname: row.hostname,
    domain: row.domain,
    status: row.status,
    attemptId: row.attempt_id,
    osystem: row.osystem,
    distroSeries: row.distro_series,
    architecture: row.architecture,
    sshKeys: keys.map(({ key }) => key),
  };
}

/** False when this token has used the nonce before. */
async function isNewNonce(db: Kysely<Tables>, oauth: OauthHeader, nonce: string): Promise<boolean> {
  const added = await db
    .insertInto('oauth_nonces')
    .values({ consumer_key: oauth.consumerKey, token_key: oauth.tokenKey, nonce: nonce.slice(0, 128) })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/**
 * The machine whose instance token signed, wherever the request came from. Null for any other token, a bad signature or a
 * used nonce: all look the same from outside. The time that it was signed at does not count: a PLAINTEXT signature is the
 * secret itself, so whoever could send a request again can as well make a new one, and a refusal costs machines whose clock
 * is off their first boot. cloud-init 22.4 is meant to take our time from it, but its reporting thread and its datasource
 * write and read the file with the difference at once, and the datasource that meets it empty gives up for good.
 */
export async function signedInstance(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  oauth: OauthHeader,
): Promise<Instance | null> {
  if (oauth.timestamp === null || oauth.nonce === null) return null;
  const token = await findInstanceToken(deps, oauth.consumerKey, oauth.tokenKey);
  if (!token || !isSignedWith(oauth, token.secret)) return null;
  if (!(await isNewNonce(deps.db, oauth, oauth.nonce))) return null;
  return instanceOf(deps.db, token.systemId);
}
