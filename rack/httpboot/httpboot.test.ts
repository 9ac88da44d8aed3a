import { createHash, createPublicKey, randomBytes, verify, type X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { TicketBody } from '@ingot/contract/agent.ts';
import type { Snapshot } from '@ingot/contract/rack.ts';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSnapshotStore } from '../boot/snapshot-store.ts';
import { createEvidenceQueue } from '../evidence/evidence.ts';
import { createRegionClient } from '../forward/region-client.ts';
import { loadIdentity } from '../identity/identity.ts';
import { openImageCache } from '../imagecache/cache.ts';
import { openTransport, type RegionTransport } from '../region/transport.ts';
import { loadCertificate } from '../tls/certificate.ts';
import type { BootPlane } from './boot-plane.ts';
import { byteRange } from './byte-range.ts';
import { type Listening, listen } from './listen.ts';
import { agentListener, bootListener } from './routes.ts';

const log = pino({ level: 'silent' });
const blob = randomBytes(300_000);
const sum = createHash('sha256').update(blob).digest('hex');
const mac = '02:00:00:00:00:01';
const snapshot: Snapshot = {
  version: 1,
  vlans: [],
  machines: [
    {
      systemId: 'abc123',
      hostname: 'node1',
      macs: [mac],
      target: 'ephemeral',
      attempt: 9,
      architecture: 'amd64/generic',
      kernelOptions: '',
    },
  ],
  ephemeral: [
    {
      architecture: 'amd64',
      kernel: { sha256: sum, size: blob.length },
      initrd: { sha256: sum, size: blob.length },
      squashfs: { sha256: sum, size: blob.length },
    },
  ],
  enlist: true,
  kernelOptions: 'console=ttyS0',
};

interface Told {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}
let dir: string;
let region: Server;
let told: Told[];
/** What the region does with a blob request; null = serves it. */
let blobTrouble: ((request: IncomingMessage) => Buffer | 'cut' | null) | null;
let transport: RegionTransport;
let plane: BootPlane;
let http: Listening;
let https: Listening;
let lease: string | null;

async function startRegion(): Promise<void> {
  region = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = '', url = '', headers } = incoming;
    told.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    if (!url.startsWith('/rack/v1/blobs/')) return response.writeHead(201, { 'x-answer': 'yes' }).end('from region');
    if (url !== `/rack/v1/blobs/${sum}`) return response.writeHead(404).end('no');
    const trouble = blobTrouble?.(incoming) ?? null;
    if (trouble === 'cut') {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 100_000), () => response.destroy());
      return;
    }
    const start = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    const part = (trouble ?? blob).subarray(start);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': part.length }).end(part);
  });
  await new Promise<void>((resolve) => region.listen(join(dir, 'rack.sock'), resolve));
}
const stopRegion = () =>
  new Promise<void>((resolve) => {
    region.close(() => resolve());
    region.closeAllConnections();
  });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'httpboot-'));
  told = [];
  blobTrouble = null;
  lease = mac;
  await startRegion();
  const identity = await loadIdentity(join(dir, 'identity'));
  transport = openTransport({ kind: 'unix', path: join(dir, 'rack.sock') });
  const client = createRegionClient(transport, identity);
  const store = await openSnapshotStore(join(dir, 'snapshot.json'));
  await store.replace(snapshot);
  const certificate = await loadCertificate(join(dir, 'tls'), Date.now());
  const files: Record<string, Buffer> = { '/snponly.efi': Buffer.from('efi program') };
  plane = {
    identity,
    snapshot: store,
    macOf: async () => lease,
    cache: await openImageCache({ dir: join(dir, 'cache'), region: client, blobs: null, limitBytes: 1e9, log }),
    files: { find: (path) => files[path] ?? null, missing: [] },
    region: client,
    evidence: createEvidenceQueue(),
    pin: certificate.pin,
    ports: { http: 5248, https: 5249, tftp: 69 },
    log,
  };
  http = await listen(bootListener(plane), '127.0.0.1', 0);
  https = await listen(agentListener(plane), '127.0.0.1', 0, certificate);
});
afterEach(async () => {
  await Promise.all([http.close(), https.close(), stopRegion()]);
  await plane.cache.close();
  transport.close();
  await rm(dir, { recursive: true });
});

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const outgoing = request(
      { host: '127.0.0.1', port: http.port, path, method, headers, agent: false },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
const evidenceKinds = () => plane.evidence.take(100).map((each) => each.kind);

describe('boot.ipxe', () => {
  it('carries a ticket for the machine that holds the lease, whatever MAC the URL claims', async () => {
    const { status, body } = await ask('//boot.ipxe?mac=02:ff:ff:ff:ff:ff');
    expect(status).toBe(200);
    const ticket = /ingot\.ticket=(\S+)/.exec(body.toString())?.[1]?.split('.')[0] ?? '';
    expect(TicketBody.parse(JSON.parse(Buffer.from(ticket, 'base64url').toString()))).toMatchObject({
      machine: 'abc123',
      attempt: 9,
      mac,
    });
    expect(body.toString()).toContain('ingot.rack=http://127.0.0.1:5248 ingot.agent=https://127.0.0.1:5249 ');
    expect(plane.evidence.take(9)).toMatchObject([
      { kind: 'boot.script', systemId: 'abc123', attempt: 9, data: { claimedMac: '02:ff:ff:ff:ff:ff' } },
    ]);
  });

  it('lets an unknown machine enlist, sends others to their disk, and makes those without a lease wait', async () => {
    lease = '02:00:00:00:00:99';
    const unknown = (await ask('/boot.ipxe')).body.toString();
    const ticket = /ingot\.ticket=(\S+)\./.exec(unknown)?.[1] ?? '';
    expect(JSON.parse(Buffer.from(ticket, 'base64url').toString())).toMatchObject({
      machine: null,
      attempt: null,
      mac: lease,
    });
    lease = null;
    expect((await ask('/boot.ipxe')).body.toString()).toMatch(
      /sleep 5\nchain --replace --autofree http:\/\/127.0.0.1:5248\/boot.ipxe/,
    );
    lease = mac;
    plane.snapshot.change(2, 'abc123', { ...(snapshot.machines[0] as Snapshot['machines'][0]), target: 'local' });
    expect((await ask('/boot.ipxe')).body.toString()).toBe('#!ipxe\nexit 1\n');
    expect(evidenceKinds()).toEqual(['boot.script', 'boot.refused', 'boot.script']);
  });
});

describe('files and blobs', () => {
  it('answers what is not there with a body, its length and a closed connection', async () => {
    const { status, headers, body } = await ask('/revocations_sku.efi');
    expect([status, headers.connection, Number(headers['content-length'])]).toEqual([404, 'close', body.length]);
    expect(body.length).toBeGreaterThan(0);
    expect((await ask('/snponly.efi')).body.toString()).toBe('efi program');
    const { etag = '' } = (await ask('/snponly.efi')).headers;
    const part = await ask('/snponly.efi', { headers: { range: 'bytes=4-10', 'if-range': etag } });
    expect([part.status, part.body.toString(), part.headers['content-range']]).toEqual([
      206,
      'program',
      'bytes 4-10/11',
    ]);
    expect((await ask('/snponly.efi', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await ask('/blobs/../tls/key.pem')).status).toBe(400);
  });

  it('serves a blob from the region once, then by itself, whole, in parts and as a head', async () => {
    const path = `/blobs/sha256/${sum}`;
    const all = await Promise.all([ask(path), ask(`/blobs/sha256/${sum.slice(0, 2)}/${sum}`), ask(path)]);
    for (const each of all) expect(each.body.equals(blob)).toBe(true);
    expect(told).toHaveLength(1);
    await stopRegion();
    const part = await ask(path, { headers: { range: 'bytes=100-299' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 100-299/${blob.length}`]);
    expect(part.body.equals(blob.subarray(100, 300))).toBe(true);
    expect((await ask(path, { headers: { range: 'bytes=100-299', 'if-range': '"other"' } })).status).toBe(200);
    expect((await ask(path, { headers: { range: `bytes=${blob.length}-` } })).status).toBe(416);
    expect((await ask(path, { headers: { 'if-none-match': `"${sum}"` } })).status).toBe(304);
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, head.headers.etag, head.headers['content-length'], head.body.length]).toEqual([
      200,
      `"${sum}"`,
      '300000',
      0,
    ]);
    await startRegion();
    expect((await ask(`/blobs/sha256/${'0'.repeat(64)}`)).status).toBe(404);
  });

  /**
   * @fault An image arrives truncated or altered at the rack.
   * @sees 503 at the machine, which asks again; the log of the rack names the image.
   * @ends No byte is served that does not have its sum; a transfer that broke goes on where it stopped.
   */
  it('resumes a broken transfer and never serves bytes that do not have their sum', async () => {
    const path = `/blobs/sha256/${sum}`;
    blobTrouble = () => 'cut';
    expect((await ask(path)).status).toBe(503);
    blobTrouble = null;
    expect((await ask(path)).body.equals(blob)).toBe(true);
    expect(told.at(-1)?.headers.range).toMatch(/^bytes=[1-9]\d+-$/);
    await plane.cache.close();
    await rm(join(dir, 'cache'), { recursive: true });
    const options = { dir: join(dir, 'cache'), region: plane.region, blobs: null, limitBytes: 1e9, log };
    plane.cache = await openImageCache(options);
    const wrong = Buffer.from(blob);
    wrong[5] = (wrong[5] ?? 0) ^ 1;
    blobTrouble = () => wrong;
    expect((await ask(path)).status).toBe(503);
    blobTrouble = null;
    expect((await ask(path)).body.equals(blob)).toBe(true);
  });

  it('links the file of a region on the same host, verified, and throws the least used out at its limit', async () => {
    const blobs = join(dir, 'blobs');
    const store = async (bytes: Buffer, name = createHash('sha256').update(bytes).digest('hex')) => {
      await mkdir(join(blobs, 'sha256', name.slice(0, 2)), { recursive: true });
      await writeFile(join(blobs, 'sha256', name.slice(0, 2), name), bytes);
      return name;
    };
    const sums = [
      await store(Buffer.alloc(1000, 1)),
      await store(Buffer.alloc(1000, 2)),
      await store(Buffer.alloc(1000, 3)),
    ];
    const bad = await store(Buffer.from('not this'), '1'.repeat(64));
    const cache = await openImageCache({
      dir: join(dir, 'cache2'),
      region: plane.region,
      blobs,
      limitBytes: 2000,
      log,
    });
    for (const each of sums.slice(0, 2)) expect((await cache.get(each)).kind).toBe('file');
    cache.pin([sums[0] ?? '']);
    expect((await cache.get(sums[2] ?? '')).kind).toBe('file');
    expect(cache.bytes()).toBe(2000);
    expect(told).toHaveLength(0);
    await rm(blobs, { recursive: true });
    expect((await cache.get(sums[0] ?? '')).kind).toBe('file');
    expect((await cache.get(sums[1] ?? '')).kind).toBe('missing');
    expect((await cache.get(bad)).kind).toBe('missing');
    await cache.close();
  });

  it('takes ranges as RFC 9110 says', () => {
    expect([byteRange('bytes=0-0', 10), byteRange('bytes=-3', 10), byteRange('bytes=8-99', 10)]).toEqual([
      { start: 0, end: 0 },
      { start: 7, end: 9 },
      { start: 8, end: 9 },
    ]);
    expect([byteRange('bytes=5-2', 10), byteRange('lines=1-2', 10), byteRange('bytes=1-2,4-5', 10)]).toEqual([
      null,
      null,
      null,
    ]);
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.integer({ min: 1, max: 100 }), (a, b, size) => {
        const range = byteRange(`bytes=${a}-${b}`, size);
        if (range && range !== 'unsatisfiable') {
          expect(range.start).toBeLessThanOrEqual(range.end);
          expect(range.end).toBeLessThan(size);
        }
      }),
    );
  });
});

describe('forwarding', () => {
  it('signs metadata and enlistment for the client it saw, and believes no x-ingot header of the machine', async () => {
    const key = createPublicKey({ key: Buffer.from(plane.identity.publicKey, 'base64'), format: 'der', type: 'spki' });
    const headers = { authorization: 'OAuth x', 'x-ingot-mac': '02:ff:ff:ff:ff:ff', 'x-ingot-rack': 'other' };
    const answer = await ask('/MAAS//metadata/2012-03-01/user-data?x=1', { headers });
    expect([answer.status, answer.headers['x-answer'], answer.body.toString()]).toEqual([201, 'yes', 'from region']);
    await ask('/MAAS/api/2.0/machines/', { method: 'POST', body: Buffer.from('a=b') });
    expect(told.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', '/MAAS/metadata/2012-03-01/user-data?x=1', ''],
      ['POST', '/MAAS/api/2.0/machines/', 'a=b'],
    ]);
    for (const { method, url, headers: got } of told) {
      const text = [method, url, '127.0.0.1', mac, got['x-ingot-time']].join('\n');
      expect(got).toMatchObject({
        'x-ingot-rack': plane.identity.rack,
        'x-ingot-client': '127.0.0.1',
        'x-ingot-mac': mac,
      });
      expect(got['x-ingot-rack-url']).toBe('http://127.0.0.1:5248');
      expect(verify(null, Buffer.from(text), key, Buffer.from(String(got['x-ingot-signature']), 'base64'))).toBe(true);
    }
    expect(told[0]?.headers.authorization).toBe('OAuth x');
    expect((await ask('/MAAS/api/2.0/machines/')).status).toBe(404);
    expect((await ask('/MAAS/api/2.0/users/', { method: 'POST' })).status).toBe(404);
    expect((await ask('/agent/v1/task')).status).toBe(404);
  });

  /**
   * @fault The region is away while machines boot and agents work.
   * @sees 503 rack.region_away at the machine, with Retry-After.
   * @ends Machines wait and go on when the region is back.
   */
  it('asks to try again while the region is away, and goes on when it is back', async () => {
    await stopRegion();
    const away = await ask('/MAAS/metadata/latest/');
    expect([away.status, away.headers['retry-after']]).toEqual([503, '2']);
    expect(JSON.parse(away.body.toString())).toMatchObject({ code: 'rack.region_away' });
    await startRegion();
    expect((await ask('/MAAS/metadata/latest/')).status).toBe(201);
  });

  it('refuses bodies beyond 8 MiB', async () => {
    const answer = await ask('/MAAS/metadata/x', { method: 'POST', body: Buffer.alloc(8 * 1024 * 1024 + 1) }).catch(
      () => null,
    );
    expect(answer === null || answer.status === 413).toBe(true);
    expect(told).toHaveLength(0);
  });

  it('speaks to the agent over TLS with the pinned certificate', async () => {
    const pin = await new Promise<string>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: https.port, path: '/agent/v1/task?wait=5', rejectUnauthorized: false };
      const outgoing = tlsRequest(options, (response) => {
        const certificate = (response.socket as TLSSocket).getPeerX509Certificate() as X509Certificate;
        response.resume();
        resolve(createHash('sha256').update(certificate.raw).digest('hex'));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
    expect(pin).toBe(plane.pin);
    expect(told).toMatchObject([{ method: 'GET', url: '/agent/v1/task?wait=5' }]);
  });
});
