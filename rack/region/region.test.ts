import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { RACK_PROTOCOL } from '@ingot/contract/rack.ts';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { enroll } from '../enroll.ts';
import { createRegionClient } from '../forward/region-client.ts';
import { type Identity, loadIdentity } from '../identity/identity.ts';
import { openImageCache } from '../imagecache/cache.ts';
import { openLink } from '../link/link.ts';
import { type TestAuthority, testAuthority } from '../testing/region-authority.ts';
import { parseRegionUrl, regionUrl } from './address.ts';
import { findRegion } from './remembered.ts';
import { openTransport } from './transport.ts';

const log = pino({ level: 'silent' });
const SECRET = randomBytes(32).toString('base64url');
const content = randomBytes(200_000);
const sum = createHash('sha256').update(content).digest('hex');

let certificates: string;
let ours: TestAuthority;
let other: TestAuthority;
let good: { key: string; cert: string };
beforeAll(async () => {
  certificates = await mkdtemp(join(tmpdir(), 'region-ca-'));
  ours = testAuthority(join(certificates, 'ours'));
  other = testAuthority(join(certificates, 'other'));
  good = ours.server('IP:127.0.0.1,DNS:localhost');
});
afterAll(() => rm(certificates, { recursive: true }));

let dir: string;
let told: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
/** TCP connections that a server took in a test. */
let connections: Duplex[];
const servers: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'region-'));
  told = [];
  connections = [];
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await rm(dir, { recursive: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { method = '', url = '', headers } = request;
  told.push({ method, url, headers, body });
  if (url === '/rack/v1/enroll') {
    const known = JSON.parse(body).token === SECRET;
    response.writeHead(known ? 204 : 403).end(known ? undefined : '{"code":"rack.bad_token"}');
  } else if (url.startsWith('/rack/v1/blobs/')) {
    const start = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200).end(content.subarray(start));
  } else response.writeHead(200).end('from region');
}

/** A region that shows `cert`, with more certificates behind it, on 127.0.0.1. */
async function serve(tls: { key: string; cert: string }, behind: string): Promise<{ server: Server; port: number }> {
  const server = createServer({ key: tls.key, cert: `${tls.cert}\n${behind}` }, (request, response) => {
    void answer(request, response);
  });
  server.on('connection', (socket) => connections.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push({
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of connections) socket.destroy();
      }),
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );
const kept = () => Promise.all(['region.json', 'region-ca.pem'].map((name) => exists(join(dir, 'rack', name))));

describe('enrolling', () => {
  it('sends the secret and the public key to the region of the fingerprint, and keeps CA and URL', async () => {
    const { port } = await serve(good, ours.ca);
    const done = await enroll(dir, 'r1', `https://127.0.0.1:${port}`, `${SECRET}.${ours.fingerprint}`);
    const identity = await loadIdentity(join(dir, 'rack', 'identity'));
    expect(done).toEqual({ ok: true, rack: identity.rack });
    expect(told.map(({ method, url, body }) => [method, url, JSON.parse(body)])).toEqual([
      ['POST', '/rack/v1/enroll', { token: SECRET, rack: identity.rack, name: 'r1', publicKey: identity.publicKey }],
    ]);
    expect(await findRegion(dir, undefined)).toEqual({
      ok: true,
      region: { kind: 'tls', host: '127.0.0.1', port, ca: ours.ca },
    });
    expect((await stat(join(dir, 'rack', 'region-ca.pem'))).mode & 0o777).toBe(0o600);
  });

  it('keeps nothing when the region refuses, and says what it said', async () => {
    const { port } = await serve(good, ours.ca);
    const wrong = randomBytes(32).toString('base64url');
    const done = await enroll(dir, 'r1', `https://127.0.0.1:${port}`, `${wrong}.${ours.fingerprint}`);
    expect(done).toEqual({ ok: false, message: 'the region refused: 403 {"code":"rack.bad_token"}' });
    expect(await kept()).toEqual([false, false]);
  });

  it('tells nobody else the secret: another CA, a relayed CA, another name, no TLS', async () => {
    const token = `${SECRET}.${ours.fingerprint}`;
    const theirs = other.server('IP:127.0.0.1');
    const refused = async (port: number, host = '127.0.0.1') => {
      const done = await enroll(dir, 'r1', `https://${host}:${port}`, token);
      return done.ok ? 'enrolled' : done.message;
    };
    // Whoever answers has a CA of their own.
    expect(await refused((await serve(theirs, other.ca)).port)).toMatch(/another fingerprint/);
    // They show the region's CA besides, which anybody can fetch, with a certificate that it did not sign.
    expect(await refused((await serve(theirs, other.ca + ours.ca)).port)).toMatch(/another fingerprint/);
    // The same, made so that it looks like one of the region's: only its signature tells.
    const forged = other.server('IP:127.0.0.1', 'authorityKeyIdentifier=none');
    expect(await refused((await serve(forged, ours.ca)).port)).toMatch(/was not told anything/);
    // Signed by the region's CA, for another host.
    expect(await refused((await serve(ours.server('IP:10.0.0.1'), ours.ca)).port)).toMatch(/--rack-name/);
    const plain = createTcpServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400 no\r\n\r\n'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    expect(await refused((plain.address() as AddressInfo).port)).toMatch(/could not be reached/);
    plain.close();
    expect(told).toEqual([]);
    expect(await kept()).toEqual([false, false]);
  });

  it('refuses what is no token and no URL of a region, without asking anybody', async () => {
    const { port } = await serve(good, ours.ca);
    const token = `${SECRET}.${ours.fingerprint}`;
    for (const url of [`http://127.0.0.1:${port}`, '127.0.0.1', 'https://u:p@127.0.0.1', 'https://127.0.0.1/x']) {
      expect(await enroll(dir, 'r1', url, token)).toMatchObject({ ok: false });
    }
    for (const text of [SECRET, `${SECRET}.`, `${SECRET}.${ours.fingerprint.slice(1)}`]) {
      expect(await enroll(dir, 'r1', `https://127.0.0.1:${port}`, text)).toMatchObject({ ok: false });
    }
    expect([told, connections]).toEqual([[], []]);
  });
});

describe('which region', () => {
  it('is told, or remembered, and never trusted without the CA of an enrolment', async () => {
    expect(await findRegion(dir, 'unix:/run/rack.sock')).toEqual({
      ok: true,
      region: { kind: 'unix', path: '/run/rack.sock' },
    });
    expect(await findRegion(dir, undefined)).toMatchObject({ ok: false, message: /not enrolled/ });
    expect(await findRegion(dir, 'https://10.0.0.1:5250')).toMatchObject({ ok: false, message: /not enrolled/ });
    expect(await findRegion(dir, 'http://10.0.0.1:5240')).toMatchObject({ ok: false, message: /unix:PATH or https/ });
    const { port } = await serve(good, ours.ca);
    await enroll(dir, 'r1', `https://localhost:${port}/`, `${SECRET}.${ours.fingerprint}`);
    expect(await findRegion(dir, 'https://10.0.0.1')).toEqual({
      ok: true,
      region: { kind: 'tls', host: '10.0.0.1', port: 5250, ca: ours.ca },
    });
    await writeFile(join(dir, 'rack', 'region.json'), '{');
    expect(await findRegion(dir, undefined)).toMatchObject({ ok: false, message: /cannot be read/ });
  });

  it('URLs of both families are read and written', () => {
    expect(parseRegionUrl('https://[fd00::1]:99')).toEqual({ host: 'fd00::1', port: 99 });
    expect(regionUrl({ host: 'fd00::1', port: 99 })).toBe('https://[fd00::1]:99');
    expect(parseRegionUrl('https://region.example.org')).toEqual({ host: 'region.example.org', port: 5250 });
    for (const odd of ['https://', 'https://a:0', 'https://a:65536', 'https://a b', 'https://a/b', 'wss://a']) {
      expect(parseRegionUrl(odd)).toBeNull();
    }
  });
});

describe('over TLS', () => {
  let identity: Identity;
  beforeEach(async () => {
    identity = await loadIdentity(join(dir, 'identity'));
  });
  const isSigned = (method: string, url: string, headers: IncomingMessage['headers'], client = '', mac = '') => {
    const key = createPublicKey({ key: Buffer.from(identity.publicKey, 'base64'), format: 'der', type: 'spki' });
    const text = [method, url, client, mac, headers['x-ingot-time']].join('\n');
    return verify(null, Buffer.from(text), key, Buffer.from(String(headers['x-ingot-signature']), 'base64'));
  };

  it.each(['127.0.0.1', 'localhost'])(
    'forwards to %s, signed, over one connection, whatever Host the machine sends',
    async (host) => {
      const { port } = await serve(good, ours.ca);
      const transport = openTransport({ kind: 'tls', host, port, ca: ours.ca });
      const region = createRegionClient(transport, identity);
      const client = { address: '10.0.0.9', mac: '02:00:00:00:00:09', rackUrl: 'http://10.0.0.1:5248' };
      for (const name of ['10.0.0.1:5249', 'evil.example.org']) {
        const got = await region.forward('POST', '/agent/v1/done?a=1', { host: name }, Buffer.from('{}'), client, 5000);
        expect(got.statusCode).toBe(200);
        for await (const chunk of got) expect(String(chunk)).toBe('from region');
      }
      expect(told.map(({ headers }) => headers.host)).toEqual(['10.0.0.1:5249', 'evil.example.org']);
      for (const { method, url, headers } of told) {
        expect(isSigned(method, url, headers, client.address, client.mac)).toBe(true);
      }
      expect(connections).toHaveLength(1);
      transport.close();
    },
  );

  it('goes on with a blob where it stopped', async () => {
    const { port } = await serve(good, ours.ca);
    const transport = openTransport({ kind: 'tls', host: '127.0.0.1', port, ca: ours.ca });
    const region = createRegionClient(transport, identity);
    const cache = await openImageCache({ dir: join(dir, 'cache'), region, blobs: null, limitBytes: 1e9, log });
    await writeFile(join(dir, 'cache/partial', sum), content.subarray(0, 150_000));
    const got = await cache.get(sum);
    expect(got.kind === 'file' && (await readFile(got.path)).equals(content)).toBe(true);
    expect(told.map(({ headers }) => headers.range)).toEqual(['bytes=150000-']);
    await cache.close();
    transport.close();
  });

  it('says nothing to a region of another CA, or to one of another name, even when told not to check', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const impostors = [
        await serve(other.server('IP:127.0.0.1'), other.ca),
        await serve(ours.server('IP:10.0.0.1'), ours.ca),
      ];
      for (const { port } of impostors) {
        const transport = openTransport({ kind: 'tls', host: '127.0.0.1', port, ca: ours.ca });
        await expect(createRegionClient(transport, identity).get('/rack/v1/blobs/x', {})).rejects.toThrow();
        transport.close();
      }
      expect(told).toEqual([]);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  const linkTo = (port: number, lines: string[]) =>
    openLink({
      region: openTransport({ kind: 'tls', host: '127.0.0.1', port, ca: ours.ca }),
      identity,
      hello: () => ({
        type: 'hello',
        protocols: [RACK_PROTOCOL],
        rack: identity.rack,
        name: 'r',
        version: '0',
        interfaces: [],
        snapshotVersion: null,
      }),
      onWelcome: () => undefined,
      onMessage: () => undefined,
      log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }),
    });

  it('opens the link with a signed upgrade, and signs anew when it comes back', async () => {
    const { server, port } = await serve(good, ours.ca);
    const upgrades: IncomingMessage[] = [];
    const sockets = new WebSocketServer({ server, path: '/rack/v1/link' });
    sockets.on('connection', (socket, request) => {
      upgrades.push(request);
      socket.send(JSON.stringify({ type: 'welcome', protocol: 1, epoch: upgrades.length }));
    });
    const link = linkTo(port, []);
    await expect.poll(() => link.connected()).toBe(true);
    for (const socket of sockets.clients) socket.terminate();
    await expect.poll(() => upgrades.length, { timeout: 5000 }).toBe(2);
    for (const { headers } of upgrades) expect(isSigned('GET', '/rack/v1/link', headers)).toBe(true);
    expect(upgrades[1]?.headers['x-ingot-time']).not.toBe(upgrades[0]?.headers['x-ingot-time']);
    link.stop();
    for (const socket of sockets.clients) socket.terminate();
  });

  it('a refusal and a wrong certificate are logged once with what to do, while it tries on', async () => {
    const { server, port } = await serve(good, ours.ca);
    let tries = 0;
    server.on('upgrade', (_request, socket) => {
      tries += 1;
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 21\r\n\r\n{"code":"rack.clock"}');
    });
    const lines: string[] = [];
    const link = linkTo(port, lines);
    await expect.poll(() => tries, { timeout: 5000 }).toBeGreaterThan(2);
    link.stop();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 50, status: 403, answer: '{"code":"rack.clock"}' },
    ]);

    lines.length = 0;
    connections.length = 0;
    const strange = await serve(other.server('IP:127.0.0.1'), other.ca);
    const second = linkTo(strange.port, lines);
    await expect.poll(() => connections.length, { timeout: 5000 }).toBeGreaterThan(2);
    second.stop();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 50, fix: /ingot rack token/ }]);
  });
});
