import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSnapshotStore } from '../boot/snapshot-store.ts';
import { createEvidenceQueue } from '../evidence/evidence.ts';
import { createRegionClient } from '../forward/region-client.ts';
import { loadIdentity } from '../identity/identity.ts';
import { openImageCache } from '../imagecache/cache.ts';
import { openTransport, type RegionTransport } from '../region/transport.ts';
import { loadCertificate } from '../tls/certificate.ts';
import type { BootPlane } from './boot-plane.ts';
import { type Listening, listen } from './listen.ts';
import { agentListener, bootListener } from './routes.ts';

// What stands on the machines' network may send anything to 5248 and 5249. The seed is kept: a failure repeats.
const SEED = 20260306;
const MIB = 1024 * 1024;
const LIMITS = { headersTimeout: 600, requestTimeout: 1500, connectionsCheckingInterval: 100 };

let dir: string;
let region: Server;
let transport: RegionTransport;
let plane: BootPlane;
let http: Listening;
let https: Listening;
/** Answers of the region wait until this is let go. */
let holding: (() => void)[] | null = null;
let forwarded = 0;
const errors: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hostile-'));
  region = createServer(async (incoming, response) => {
    forwarded += 1;
    incoming.resume();
    if (holding) await new Promise<void>((resolve) => holding?.push(resolve));
    response.end('from region');
  });
  await new Promise<void>((resolve) => region.listen(join(dir, 'rack.sock'), resolve));
  const log = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
  const identity = await loadIdentity(join(dir, 'identity'));
  transport = openTransport({ kind: 'unix', path: join(dir, 'rack.sock') });
  const client = createRegionClient(transport, identity);
  const certificate = await loadCertificate(join(dir, 'tls'), Date.now());
  plane = {
    identity,
    snapshot: await openSnapshotStore(join(dir, 'snapshot.json')),
    macOf: async () => '02:00:00:00:00:01',
    cache: await openImageCache({ dir: join(dir, 'cache'), region: client, blobs: null, limitBytes: 1e9, log }),
    files: { find: () => null, missing: [] },
    region: client,
    evidence: createEvidenceQueue(),
    pin: certificate.pin,
    ports: { http: 5248, https: 5249, tftp: 69 },
    log,
  };
  http = await listen(bootListener(plane), '127.0.0.1', 0, undefined, LIMITS);
  https = await listen(agentListener(plane), '127.0.0.1', 0, certificate, LIMITS);
});
afterAll(async () => {
  await Promise.all([http.close(), https.close()]);
  await plane.cache.close();
  transport.close();
  region.closeAllConnections();
  await new Promise<void>((resolve) => region.close(() => resolve()));
  await rm(dir, { recursive: true });
});

/** All that comes back until the connection ends, by whichever side. */
function raw(bytes: Buffer | string, options: { secure?: boolean; drip?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = options.secure
      ? tls.connect({ host: '127.0.0.1', port: https.port, rejectUnauthorized: false })
      : net.connect(http.port, '127.0.0.1');
    const parts: Buffer[] = [];
    const dripping = options.drip === undefined ? undefined : setInterval(() => socket.write(options.drip ?? ''), 50);
    const end = () => {
      clearInterval(dripping);
      resolve(Buffer.concat(parts).toString('latin1'));
    };
    socket.setTimeout(15_000, () => reject(new Error('the rack keeps the connection open')));
    socket.on('data', (part: Buffer) => parts.push(part));
    // Cut while we were still sending: that is an end too.
    socket.on('error', end);
    socket.on('close', end);
    if (options.drip === undefined) socket.end(bytes);
    else socket.write(bytes);
  });
}

function post(port: number, path: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const serves = async () => expect(await raw('GET /none HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 404 /);

/**
 * @fault Clients send heads or bodies to the rack's HTTP and HTTPS one byte at a time.
 * @sees Other machines boot meanwhile; a slow one gets 408 and a closed connection.
 * @ends Heads are cut after 20 s, whole requests after 120 s; answers have no such limit.
 */
it.each([false, true])('questions that do not end are cut (TLS: %s)', async (secure) => {
  const head = `${secure ? 'POST /agent/v1/session' : 'POST /MAAS/metadata/x'} HTTP/1.1\r\nHost: x\r\n`;
  const slow = [head, `${head}Content-Length: 9000\r\n\r\n`].flatMap((begun) =>
    Array.from({ length: 20 }, () => raw(begun, { secure, drip: 'a' })),
  );
  await serves();
  for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^(HTTP\/1.1 408 |$)/);
  await serves();
});

/**
 * @fault Bytes that are no HTTP, or nearly HTTP, come to the rack's ports, and paths that lead out of its folders.
 * @sees 400, 404 or another refusal with a body and a closed connection.
 * @ends Nothing but metadata, agent and enlistment paths reaches the region; the rack serves on.
 */
it('what is no HTTP or no path of ours ends in a refusal', { timeout: 60_000 }, async () => {
  const target = fc.constantFrom(
    '/boot.ipxe',
    '/boot.ipxe?mac=%00%ff&mac=',
    '/blobs/sha256/../../../tls/key.pem',
    '/blobs/sha256/%2e%2e/%2e%2e/identity',
    `/blobs/sha256/${'0'.repeat(63)}`,
    '/MAAS/api/2.0/users/',
    '/MAAS/metadata/../../api/v1/users',
    '/agent/../api/v1/users',
    '//agent//v1',
    '*',
    'http://other/',
    '/%',
    `/${'a/'.repeat(3000)}`,
  );
  const header = fc.constantFrom(
    'Range: bytes=-',
    'Range: bytes=9-1,,',
    'If-Range: "',
    'Transfer-Encoding: chunked',
    'Content-Length: 4\r\nContent-Length: 5',
    'X-Ingot-Rack: me',
    'Expect: 100-continue',
    'Upgrade: websocket\r\nConnection: Upgrade',
    ':',
  );
  const bytes = fc
    .tuple(
      fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'XX'),
      target,
      fc.array(header, { maxLength: 3 }),
      fc.string(),
    )
    .map(([verb, at, headers, tail]) =>
      Buffer.from(`${verb} ${at} HTTP/1.1\r\nHost: x\r\n${headers.join('\r\n')}\r\n\r\n${tail}`, 'latin1'),
    );
  const noise = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
  forwarded = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof({ weight: 6, arbitrary: bytes }, noise), { maxLength: 15 }), async (all) => {
      for (const answer of await Promise.all(all.map((each) => raw(each)))) {
        expect(answer).toMatch(/^(HTTP\/1.1 ([1234]\d\d|501|503|505) |$)/);
      }
    }),
    { seed: SEED, numRuns: 30 },
  );
  await fc.assert(
    fc.asyncProperty(noise, async (some) => void (await raw(some, { secure: true }))),
    { seed: SEED, numRuns: 20 },
  );
  expect(forwarded).toBe(0);
  expect(errors).toEqual([]);
  await serves();
});

/**
 * @fault Hosts on the machines' network send large bodies by the hundred while the region is slow.
 * @sees 503 with Retry-After for those beyond what the rack holds at once, 413 beyond 8 MiB.
 * @ends Memory stays bounded; when the region answers, everybody is served again.
 */
it('bodies of all machines together are bounded', { timeout: 60_000 }, async () => {
  holding = [];
  // With the usual limits: a busy host takes its time over so many bytes.
  const patient = await listen(bootListener(plane), '127.0.0.1', 0);
  const body = Buffer.alloc(7 * MIB, 'x');
  const all = Array.from({ length: 48 }, () => post(patient.port, '/MAAS/metadata/status/x', body).catch(() => 503));
  // Those that are refused are answered while the others wait for the region.
  expect(await Promise.any(all)).toBe(503);
  const until = performance.now() + 20_000;
  while (holding.length < 30 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  const waiting = holding;
  holding = null;
  for (const answer of waiting) answer();
  const statuses = await Promise.all(all);
  expect(new Set(statuses)).toEqual(new Set([200, 503]));
  expect(await post(patient.port, '/MAAS/metadata/status/x', body)).toBe(200);
  await patient.close();
});
