import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TicketBody } from '@ingot/contract/agent.ts';
import { expect, it } from 'vitest';
import { loadIdentity } from './identity.ts';
import { signedHeaders } from './signed-headers.ts';
import { signTicket } from './ticket.ts';

it('makes one identity, keeps it private, and signs tickets and headers that its public key verifies', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'identity-'));
  try {
    const file = join(dir, 'rack', 'identity');
    const identity = await loadIdentity(file);
    expect((await loadIdentity(file)).rack).toBe(identity.rack);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const key = createPublicKey({ key: Buffer.from(identity.publicKey, 'base64'), format: 'der', type: 'spki' });

    const body = { machine: 'abc123', attempt: 7, mac: '02:00:00:00:00:01', nonce: 'n', issued: 1 };
    const [first = '', signature = ''] = signTicket(identity, body).split('.');
    expect(verify(null, Buffer.from(first), key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(TicketBody.parse(JSON.parse(Buffer.from(first, 'base64url').toString()))).toEqual({
      rack: identity.rack,
      ...body,
    });

    const client = { address: '10.77.0.5', mac: '02:00:00:00:00:01', rackUrl: 'http://10.77.0.1:5248' };
    const headers = signedHeaders(identity, 'GET', '/agent/v1/task?wait=3', client, 42);
    const text = 'GET\n/agent/v1/task?wait=3\n10.77.0.5\n02:00:00:00:00:01\n42';
    expect(verify(null, Buffer.from(text), key, Buffer.from(headers['x-ingot-signature'] ?? '', 'base64'))).toBe(true);
    expect(headers['x-ingot-rack-url']).toBe('http://10.77.0.1:5248');
  } finally {
    await rm(dir, { recursive: true });
  }
});
