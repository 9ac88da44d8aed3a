import type { Kysely } from 'kysely';
import { findInstanceToken } from '../accounts/instance-tokens.ts';
import type { RegionDeps } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { isSignedWith, type OauthHeader } from './oauth.ts';

/** How far a request's time may lie back or ahead; cloud-init corrects itself by our Date header after a 401. */
const CLOCK_S = 300;

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
 * The machine whose instance token signed, wherever the request came from. Null for any other token, a bad signature, a
 * used nonce or a clock that is off: all look the same from outside.
 */
export async function signedInstance(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  oauth: OauthHeader,
  now: number,
): Promise<Instance | null> {
  if (oauth.timestamp === null || oauth.nonce === null) return null;
  if (Math.abs(now / 1000 - oauth.timestamp) > CLOCK_S) return null;
  const token = await findInstanceToken(deps, oauth.consumerKey, oauth.tokenKey);
  if (!token || !isSignedWith(oauth, token.secret)) return null;
  if (!(await isNewNonce(deps.db, oauth, oauth.nonce))) return null;
  return instanceOf(deps.db, token.systemId);
}
