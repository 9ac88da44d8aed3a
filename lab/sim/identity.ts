import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { TicketBody } from '@ingot/contract/agent.ts';

/** Who a simulated rack is: an Ed25519 key that lives as long as the process. */
export interface SimulatedIdentity {
  rack: string;
  /** base64 of the SPKI DER, as `hello` carries it. */
  publicKey: string;
  /** For the kernel command line: base64url(JSON) "." base64url(signature). */
  ticket(body: Omit<TicketBody, 'rack'>): string;
  /** The x-ingot-* headers of contract/rack.ts; `path` includes the query. */
  headers(method: string, path: string, client: ForwardedFor, now: number): Record<string, string>;
}

export interface ForwardedFor {
  address: string;
  mac: string;
  rackUrl: string;
}

export function createIdentity(): SimulatedIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const rack = createHash('sha256').update(spki).digest('hex').slice(0, 12);
  return {
    rack,
    publicKey: spki.toString('base64'),
    ticket(body) {
      const first = Buffer.from(JSON.stringify({ rack, ...body } satisfies TicketBody)).toString('base64url');
      return `${first}.${sign(null, Buffer.from(first), privateKey).toString('base64url')}`;
    },
    headers(method, path, client, now) {
      const text = [method, path, client.address, client.mac, String(now)].join('\n');
      return {
        'x-ingot-rack': rack,
        'x-ingot-client': client.address,
        'x-ingot-mac': client.mac,
        'x-ingot-time': String(now),
        'x-ingot-signature': sign(null, Buffer.from(text), privateKey).toString('base64'),
        'x-ingot-rack-url': client.rackUrl,
      };
    },
  };
}
