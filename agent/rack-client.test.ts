import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Refused, rackClient } from './rack-client.ts';

/** A rack whose answers are scripted: a status per request, in order. */
let server: Server;
let base = '';
let pin = '';
let statuses: number[] = [];
let seen: { path: string; authorization: string }[] = [];

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ingot-agent-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name));
  if (key === undefined || cert === undefined) throw new Error('unreachable');
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=rack',
  ];
  execFileSync('openssl', [...request, '-days', '1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pem = readFileSync(cert, 'utf8');
  pin = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  server = createServer({ key: readFileSync(key), cert: pem }, (incoming, answer) => {
    seen.push({ path: incoming.url ?? '', authorization: incoming.headers.authorization ?? '' });
    incoming.resume().on('end', () => {
      answer.writeHead(statuses.shift() ?? 204);
      answer.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // A listening TCP server has no other kind of address.
  base = `https://127.0.0.1:${port}`;
  rmSync(directory, { recursive: true });
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function client(wanted = pin) {
  seen = [];
  const lines: string[] = [];
  return {
    calls: rackClient(
      base,
      wanted,
      () => 'secret',
      (line) => lines.push(line),
    ),
    lines,
  };
}

/**
 * @fault The region is away while an agent reports.
 * @sees The console of the machine says that it waits for the region.
 * @ends The agent repeats its call until it goes through.
 */
test('the region away (503) is waited for, the call goes through when it is back', async () => {
  const { calls, lines } = client();
  statuses = [503, 502, 204];
  await calls.progress({ kind: 'heartbeat', name: 'agent', state: 'running' });
  expect(seen).toHaveLength(3);
  expect(seen[2]?.authorization).toBe('Bearer secret');
  expect(lines).toEqual(['waiting for the region: status 503']);
});

test('a refusal is final', async () => {
  const { calls } = client();
  statuses = [401];
  await expect(calls.task(1)).rejects.toBeInstanceOf(Refused);
  expect(seen).toHaveLength(1);
});

test('no work is null', async () => {
  const { calls } = client();
  statuses = [204];
  expect(await calls.task(1)).toBeNull();
  expect(seen[0]?.path).toBe('/agent/v1/task?wait=1');
});

/**
 * @fault Somebody on the network of the machines poses as the rack.
 * @sees The console of the machine names the certificate it was shown.
 * @ends The agent sends no byte of its request, and not its token.
 */
test('a rack with another certificate gets no byte of a request, and no token', async () => {
  const { calls, lines } = client('00'.repeat(32));
  const call = calls.task(1);
  await expect.poll(() => lines[0], { timeout: 5000 }).toContain('another certificate');
  expect(seen).toEqual([]);
  // The call itself never ends: it would go on when the right rack answers.
  void call.catch(() => undefined);
});
