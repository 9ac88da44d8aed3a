import { createInstanceToken, type InstanceToken, instanceTokenOf } from '../../accounts/instance-tokens.ts';
import { createMachine } from '../../machines/create.ts';
import type { ServedRegion } from '../../testing/served-region.ts';

export interface MachineWithToken {
  systemId: string;
  token: InstanceToken;
}

/** A deployed machine whose first boot is under way, so that what it says is evidence of an attempt. The first of its region. */
export async function machineWithToken(region: ServedRegion): Promise<MachineWithToken> {
  const { db, sealer } = region.deps;
  const changes = {
    subscribe: () => () => undefined,
    since: async () => [],
    cursor: () => '0',
    announce: () => undefined,
  };
  const wanted = {
    architecture: 'amd64/generic',
    macAddresses: ['52:54:00:aa:bb:01'],
    power: { type: 'manual', parameters: {} },
  };
  const { systemId } = await createMachine({ ...region.deps, changes }, wanted);
  const { id } = await db
    .updateTable('machines')
    .set({ status: 'DEPLOYED', osystem: 'debian', distro_series: 'bookworm' })
    .where('system_id', '=', systemId)
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.transaction().execute((trx) => createInstanceToken(trx, sealer, id));
  const now = new Date();
  const attempt = { id: 1, kind: 'deploy', phase: 'first-boot', started: now, phase_since: now, agent_seen: true };
  await db
    .insertInto('attempts')
    .values({ ...attempt, machine_id: id, system_id: systemId, hostname: 'odd' })
    .execute();
  await db.updateTable('machines').set({ attempt_id: attempt.id }).where('id', '=', id).execute();
  const token = await instanceTokenOf(region.deps, systemId);
  if (token === null) throw new Error('no token');
  return { systemId, token };
}

let nonces = 0;
/** The OAuth parts that cloud-init sends, values percent-encoded, each time with a new nonce. */
export function oauthParts(token: InstanceToken): Record<string, string> {
  nonces += 1;
  return {
    oauth_nonce: `n${nonces}`,
    oauth_timestamp: String(Math.round(Date.now() / 1000)),
    oauth_version: '1.0',
    oauth_signature_method: 'PLAINTEXT',
    oauth_consumer_key: token.consumerKey,
    oauth_token: token.tokenKey,
    oauth_signature: `%26${token.tokenSecret}`,
  };
}

export function oauthOf(parts: Record<string, string>): string {
  const fields = Object.entries(parts).map(([name, value]) => `${name}="${value}"`);
  return `OAuth ${fields.join(', ')}`;
}
