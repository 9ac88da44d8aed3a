import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ToRack, type ToRegion } from '@ingot/contract/rack.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openBlobStore } from '../images/blobs.ts';
import { signedText } from '../racklink/forwarded.ts';
import { createSealer } from '../store/sealer.ts';
import { silentLog, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type RunningRegion, serveRegion } from './serve.ts';

let cluster: TestCluster;
let dir: string;
let region: RunningRegion;
let url: URL;
let fingerprint: string;
let ca: string;
let database: Awaited<ReturnType<TestCluster['database']>>;
const content = randomBytes(300_000);
const blob = `/rack/v1/blobs/${createHash('sha256').update(content).digest('hex')}`;

beforeAll(async () => {
  cluster = await startTestCluster();
  database = await cluster.database();
  dir = await mkdtemp(path.join(tmpdir(), 'ingot-rl-'));
  await mkdir(path.join(dir, 'run'));
  await writeFile(path.join(dir, 'blob'), content);
  await openBlobStore(path.join(dir, 'blobs')).adopt(path.join(dir, 'blob'));
  region = await serveRegion({
    state: { ...database, people: database, sealer: createSealer(Buffer.alloc(32, 7)), cluster: null },
    stateDir: dir,
    tcp: { host: '127.0.0.1', port: 0 },
    racks: { listen: { host: '127.0.0.1', port: 0 }, names: [] },
    webDir: dir,
    log: silentLog,
  });
  const made = await newToken();
  url = new URL(made.url);
  fingerprint = made.token.split('.')[1] ?? '';
  ca = await readFile(path.join(dir, 'tls/ca.pem'), 'utf8');
});
afterAll(async () => {
  await region?.stop();
  await cluster?.close();
  await rm(dir, { recursive: true, force: true });
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function send(
  make: (answered: (answer: http.IncomingMessage) => void) => http.ClientRequest,
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    make((answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end(body);
  });
}

async function newToken(): Promise<{ token: string; url: string }> {
  const options = { socketPath: path.join(dir, 'run/api.sock'), path: '/api/v1/racks/tokens', method: 'POST' };
  const answer = await send((answered) => http.request(options, answered));
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body.toString());
}

function newRack(id: string) {
  const keys = generateKeyPairSync('ed25519');
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const headers = (method: string, at: string, client = '', mac = '', offMs = 0) => {
    const time = String(Date.now() + offMs);
    const signature = sign(null, Buffer.from(signedText(method, at, client, mac, time)), keys.privateKey);
    return {
      'x-ingot-rack': id,
      'x-ingot-client': client,
      'x-ingot-mac': mac,
      'x-ingot-time': time,
      'x-ingot-signature': signature.toString('base64'),
    };
  };
  return { id, publicKey, headers };
}

const tls = (method: string, at: string, headers: Record<string, string>, body = '') =>
  send(
    (answered) =>
      https.request({ host: url.hostname, port: url.port, ca, path: at, method, headers, agent: false }, answered),
    body,
  );
const codeOf = ({ status, body }: Answer) => [status, JSON.parse(body.toString()).code];
const enroll = (rack: ReturnType<typeof newRack>, token: string) => {
  const body = { token: token.split('.')[0], rack: rack.id, name: rack.id, publicKey: rack.publicKey };
  return tls('POST', '/rack/v1/enroll', { 'content-type': 'application/json' }, JSON.stringify(body));
};

test('a token names the listener and the CA', async () => {
  expect(url.protocol).toBe('https:');
  expect(url.hostname).toBe('127.0.0.1');
  expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
});

test('a rack enrols with a good token once; a used, an expired and a guessed one are refused', async () => {
  const { token } = await newToken();
  expect((await enroll(newRack('far-1'), token)).status).toBe(204);
  expect(codeOf(await enroll(newRack('far-2'), token))).toEqual([403, 'rack.bad_token']);
  const { token: old } = await newToken();
  const hash = createHash('sha256')
    .update(old.split('.')[0] ?? '')
    .digest();
  await sql`UPDATE rack_tokens SET expires = now() - interval '1 second' WHERE token_hash = ${hash}`.execute(
    database.db,
  );
  expect(codeOf(await enroll(newRack('far-2'), old))).toEqual([403, 'rack.bad_token']);
  expect(codeOf(await enroll(newRack('far-2'), randomBytes(32).toString('base64url')))).toEqual([
    403,
    'rack.bad_token',
  ]);
});

test('only the paths of racks are there, and only for who signs as an enrolled rack', async () => {
  const rack = newRack('far-3');
  await enroll(rack, (await newToken()).token);
  for (const at of ['/', '/api/v1/machines', '/metrics', '/MAAS/api/2.0/users/', '/rack/v1x', '/healthz']) {
    expect((await tls('GET', at, rack.headers('GET', at))).status).toBe(404);
  }
  const paths = [blob, '/agent/v1/task', '/MAAS/metadata/latest/meta-data/', '/rack/v1/enroll'];
  for (const at of paths) expect(codeOf(await tls('GET', at, {}))).toEqual([401, 'rack.not_signed']);
  expect(codeOf(await tls('POST', '/MAAS/api/2.0/machines/', {}))).toEqual([401, 'rack.not_signed']);
  const thief = newRack('far-3');
  expect(codeOf(await tls('GET', blob, thief.headers('GET', blob)))).toEqual([403, 'rack.bad_signature']);
  expect(codeOf(await tls('GET', blob, rack.headers('GET', '/agent/v1/task')))).toEqual([403, 'rack.bad_signature']);
  expect(codeOf(await tls('GET', blob, newRack('nobody').headers('GET', blob)))).toEqual([403, 'rack.not_known']);
  for (const off of [-301_000, 301_000]) {
    expect(codeOf(await tls('GET', blob, rack.headers('GET', blob, '', '', off)))).toEqual([403, 'rack.clock']);
  }
  // Believed: the agent API asks for a session of its own.
  const task = rack.headers('GET', '/agent/v1/task', '10.0.0.9', '52:54:00:00:00:09');
  expect(codeOf(await tls('GET', '/agent/v1/task', task))[1]).toBe('agent.session_unknown');
  expect((await tls('GET', '/MAAS/metadata/', rack.headers('GET', '/MAAS/metadata/', '10.0.0.9'))).status).not.toBe(
    403,
  );
});

test('blobs go out whole and in part', async () => {
  const rack = newRack('far-4');
  await enroll(rack, (await newToken()).token);
  const whole = await tls('GET', blob, rack.headers('GET', blob));
  expect([whole.status, whole.body.equals(content)]).toEqual([200, true]);
  const part = await tls('GET', blob, { ...rack.headers('GET', blob), range: 'bytes=200000-' });
  expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 200000-299999/300000']);
  expect(part.body.equals(content.subarray(200_000))).toBe(true);
});

test('the link opens for a signed upgrade alone, and says what it refuses', async () => {
  const rack = newRack('far-5');
  await enroll(rack, (await newToken()).token);
  const link = (headers: Record<string, string>) =>
    new WebSocket(`wss://${url.host}/rack/v1/link`, { ca, headers, handshakeTimeout: 5000 });
  const refused = async (headers: Record<string, string>) => {
    const socket = link(headers).on('error', () => undefined);
    const [, answer]: [unknown, http.IncomingMessage] = (await once(socket, 'unexpected-response')) as never;
    let text = '';
    for await (const chunk of answer) text += chunk;
    return [answer.statusCode, JSON.parse(text).code];
  };
  expect(await refused({})).toEqual([401, 'rack.not_signed']);
  expect(await refused(newRack('far-5').headers('GET', '/rack/v1/link'))).toEqual([403, 'rack.bad_signature']);
  const socket = link(rack.headers('GET', '/rack/v1/link'));
  await once(socket, 'open');
  const hello: ToRegion = {
    type: 'hello',
    protocols: [1],
    rack: rack.id,
    name: rack.id,
    version: '0',
    interfaces: [],
    snapshotVersion: null,
  };
  socket.send(JSON.stringify(hello));
  const [first] = await once(socket, 'message');
  expect(ToRack.parse(JSON.parse(String(first))).type).toBe('welcome');
  socket.terminate();
});

test('who does not know the CA gets no further than the handshake', async () => {
  const options = { host: url.hostname, port: url.port, path: blob, agent: false } as const;
  await expect(send((answered) => https.get(options, answered))).rejects.toThrow(/self-signed certificate/);
});
