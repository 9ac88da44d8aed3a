import type { Transaction } from 'kysely';
import type { RegionDeps, Sealer } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { sealedIdentity } from '../store/sealed-identity.ts';
import { KEY_LENGTHS, randomKey } from './random-key.ts';

export interface InstanceToken {
  consumerKey: string;
  tokenKey: string;
  tokenSecret: string;
}

/** Makes the token with which a deployed system reads its own metadata; an older one is void at once. */
export async function createInstanceToken(trx: Transaction<Tables>, sealer: Sealer, machineId: number): Promise<void> {
  const values = {
    consumer_key: randomKey(KEY_LENGTHS.consumer),
    token_key: randomKey(KEY_LENGTHS.token),
    token_secret: sealer.seal(randomKey(KEY_LENGTHS.secret), sealedIdentity.instanceToken(machineId)),
  };
  await trx
    .insertInto('instance_tokens')
    .values({ machine_id: machineId, ...values })
    .onConflict((conflict) => conflict.column('machine_id').doUpdateSet(values))
    .execute();
}

export async function revokeInstanceToken(trx: Transaction<Tables>, machineId: number): Promise<void> {
  await trx.deleteFrom('instance_tokens').where('machine_id', '=', machineId).execute();
}

/** The machine's token, null when it has none (never deployed, or released). */
export async function instanceTokenOf(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  systemId: string,
): Promise<InstanceToken | null> {
  const row = await deps.db
    .selectFrom('instance_tokens as t')
    .innerJoin('machines as m', 'm.id', 't.machine_id')
    .select(['t.machine_id', 't.consumer_key', 't.token_key', 't.token_secret'])
    .where('m.system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) return null;
  const secret = deps.sealer.open(row.token_secret, sealedIdentity.instanceToken(row.machine_id)).toString('utf8');
  return { consumerKey: row.consumer_key, tokenKey: row.token_key, tokenSecret: secret };
}

/** Whose metadata this token opens, and its secret to check the signature with. */
export async function findInstanceToken(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  consumerKey: string,
  tokenKey: string,
): Promise<{ systemId: string; secret: string } | null> {
  const row = await deps.db
    .selectFrom('instance_tokens as t')
    .innerJoin('machines as m', 'm.id', 't.machine_id')
    .select(['t.machine_id', 't.token_secret', 'm.system_id'])
    .where('t.token_key', '=', tokenKey)
    .where('t.consumer_key', '=', consumerKey)
    .executeTakeFirst();
  if (!row) return null;
  const secret = deps.sealer.open(row.token_secret, sealedIdentity.instanceToken(row.machine_id)).toString('utf8');
  return { systemId: row.system_id, secret };
}
