import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { TicketBody } from '@ingot/contract/agent.ts';
import type { FastifyInstance } from 'fastify';
import { signedText } from '../racklink/forwarded.ts';

/** A rack as the region sees it, for tests: a key, tickets signed with it, and machines' requests forwarded by it. */
export interface TestRack {
  id: string;
  publicKey: string;
  ticket(body: Partial<TicketBody> & { mac: string }): string;
  forward(request: ForwardedRequest): Promise<{ status: number; body: unknown; text: string; headers: object }>;
}

export interface ForwardedRequest {
  method?: 'GET' | 'POST';
  url: string;
  client: string;
  mac: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export function testRack(app: FastifyInstance, id = 'rack01'): TestRack {
  const keys = generateKeyPairSync('ed25519');
  return {
    id,
    publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    ticket(body) {
      const whole: TicketBody = {
        rack: id,
        machine: null,
        attempt: null,
        nonce: randomBytes(16).toString('base64url'),
        issued: Date.now(),
        ...body,
      };
      const signed = Buffer.from(JSON.stringify(whole)).toString('base64url');
      return `${signed}.${sign(null, Buffer.from(signed), keys.privateKey).toString('base64url')}`;
    },
    async forward({ method = 'POST', url, client, mac, headers, body }) {
      const time = String(Date.now());
      const signature = sign(null, Buffer.from(signedText(method, url, client, mac, time)), keys.privateKey);
      const answer = await app.inject({
        method,
        url,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          'x-ingot-rack': id,
          'x-ingot-client': client,
          'x-ingot-mac': mac,
          'x-ingot-time': time,
          'x-ingot-signature': signature.toString('base64'),
          'x-ingot-rack-url': 'http://10.77.0.1:5248',
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      const isJson = String(answer.headers['content-type'] ?? '').includes('json');
      return {
        status: answer.statusCode,
        body: isJson ? answer.json() : null,
        text: answer.body,
        headers: answer.headers,
      };
    },
  };
}
