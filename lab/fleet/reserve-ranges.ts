import { randomUUID } from 'node:crypto';
import type { VlanPlan } from './address-plan.ts';

const DEADLINE_MS = 15_000;

/**
 * Tells Ingot, as an administrator would by the MAAS API, to leave alone what the foreign DHCP server gives out. Throws
 * with the region's words unless each range is reserved, now or from before.
 */
export async function reserveRanges(url: string, apiKey: string, vlans: readonly VlanPlan[]): Promise<void> {
  const [consumer = '', token = '', secret = ''] = apiKey.split(':');
  for (const { range } of vlans) {
    const oauth = {
      oauth_version: '1.0',
      oauth_signature_method: 'PLAINTEXT',
      oauth_consumer_key: consumer,
      oauth_token: token,
      oauth_signature: `&${secret}`,
      oauth_nonce: randomUUID(),
      oauth_timestamp: String(Math.floor(Date.now() / 1000)),
    };
    const authorization = Object.entries(oauth).map(([name, value]) => `${name}="${encodeURIComponent(value)}"`);
    const answer = await fetch(`${url}/MAAS/api/2.0/ipranges/`, {
      method: 'POST',
      headers: { authorization: `OAuth ${authorization.join(', ')}` },
      body: new URLSearchParams({
        type: 'reserved',
        start_ip: range.start,
        end_ip: range.end,
        comment: 'given by the simulated DHCP server',
      }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await answer.text();
    // 400 also says that it is reserved already: a second simulation on the same region.
    if (answer.ok || /conflict|overlap|already/i.test(text)) continue;
    throw new Error(`reserving ${range.start}-${range.end}: ${answer.status} ${text.slice(0, 300)}`);
  }
}
