import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleRack } from './testing/bundle-rack.ts';
import { startFakeRegion } from './testing/fake-region.ts';
import { createTestSegment, type TestSegment } from './testing/segment.ts';
import { snapshotOf } from './testing/snapshot.ts';

const run = promisify(execFile);
const client = new URL('./testdata/dhcp-client.mjs', import.meta.url).pathname;
const blob = randomBytes(200_000);
const sum = createHash('sha256').update(blob).digest('hex');
const mac = '02:00:00:00:00:aa';
const snapshot = snapshotOf('10.78.0', { sha256: sum, size: blob.length });

let segment: TestSegment;
let dir: string;
let region: ReturnType<typeof startFakeRegion>;
let rack: ChildProcess;
const socketPath = () => join(dir, 'rack.sock');
const keaPid = async () => Number(await readFile(join(dir, 'rack/kea/dhcp4.kea-dhcp4.pid'), 'utf8'));
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

function startRackProcess(): void {
  const [command = '', ...prefix] = segment.inRack;
  const args = [
    ...prefix,
    process.execPath,
    join(dir, 'rack.mjs'),
    '--state',
    dir,
    '--region',
    `unix:${socketPath()}`,
    '--name',
    'r1',
  ];
  rack = spawn(command, [...args, '--log-level', 'warn'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
async function inMachine(...line: string[]): Promise<string> {
  const [command = '', ...prefix] = segment.inMachine;
  return (await run(command, [...prefix, ...line], { timeout: 20_000, encoding: 'latin1' })).stdout;
}
const hexOption = (code: number, text: string) =>
  Buffer.concat([Buffer.from([code, text.length]), Buffer.from(text)]).toString('hex');
const ipxe = `${hexOption(60, 'PXEClient:Arch:00000')}5d020000${hexOption(77, 'iPXE')}`;
const get = (path: string, ...more: string[]) => inMachine('curl', '-s', '-S', '-k', '--max-time', '10', ...more, path);

beforeAll(async () => {
  segment = await createTestSegment('10.78.0.1/24');
  dir = await mkdtemp(join(tmpdir(), 'rack-'));
  await bundleRack(join(dir, 'rack.mjs'));
  region = startFakeRegion(socketPath(), snapshot, new Map([[sum, blob]]));
  await region.listening;
  startRackProcess();
}, 30_000);
afterAll(async () => {
  rack?.kill('SIGKILL');
  await region?.stop();
  await segment?.remove();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

it('says who it is, takes the snapshot and serves DHCP, TFTP, HTTP and the agent', async () => {
  await expect
    .poll(() => region.of('snapshot.applied'), { timeout: 10_000 })
    .toMatchObject([{ version: 1, error: null }]);
  expect(region.of('hello')[0]).toMatchObject({
    name: 'r1',
    interfaces: [{ name: 'eth0', addresses: ['10.78.0.1/24'] }],
  });
  const ack = JSON.parse(await inMachine(process.execPath, client, 'lease', mac, ipxe));
  expect(ack.file).toBe('http://10.78.0.1:5248/boot.ipxe');
  await inMachine('ip', 'addr', 'add', `${ack.address}/24`, 'dev', 'eth0');

  const script = await get('http://10.78.0.1:5248/boot.ipxe');
  const ticket = JSON.parse(Buffer.from(/ingot.ticket=([\w-]+)/.exec(script)?.[1] ?? '', 'base64url').toString());
  expect(ticket).toMatchObject({ rack: region.of('hello')[0]?.rack, machine: null, mac });
  expect(await get(`http://10.78.0.1:5248/blobs/sha256/${sum}`)).toBe(blob.toString('latin1'));
  expect(await get('https://10.78.0.1:5249/agent/v1/task')).toBe(`mac ${mac}`);
  for (const name of ['undionly.kpxe', 'snponly.efi']) {
    await inMachine('tftp', '-m', 'binary', '10.78.0.1', '-c', 'get', name, join(dir, name));
    expect((await readFile(join(dir, name))).equals(await readFile(`/usr/lib/ipxe/${name}`))).toBe(true);
  }
  await expect
    .poll(() => region.evidence.map(({ kind }) => kind))
    .toEqual(expect.arrayContaining(['dhcp.lease', 'boot.script', 'http.read', 'tftp.read']));
  expect(region.evidence.every((each) => each.mac === mac)).toBe(true);
  expect(region.of('leases').flatMap(({ items }) => items)).toContainEqual({
    ip: ack.address,
    mac,
    hostname: '',
    subnetId: 4,
    expiresInSeconds: expect.any(Number),
  });
}, 30_000);

it('refuses a broken network and keeps serving the old one', async () => {
  const broken = structuredClone(snapshot);
  broken.version = 2;
  broken.vlans[0]?.subnets[0]?.pools.push({ start: '10.78.0.105', end: '10.78.0.120' });
  region.say({ type: 'snapshot', snapshot: broken });
  await expect
    .poll(() => region.of('snapshot.applied').at(-1))
    .toMatchObject({ version: 2, error: expect.stringMatching(/pool/) });
  await inMachine(process.execPath, client, 'lease', '02:00:00:00:00:ab', ipxe);
  region.say({ type: 'snapshot', snapshot: { ...snapshot, version: 3 } });
  await expect.poll(() => region.of('snapshot.applied').at(-1)).toMatchObject({ version: 3, error: null });
});

/**
 * @fault The answer to a power order is lost on its way to the region.
 * @sees Nothing but the time it takes.
 * @ends The rack does the work once and repeats its outcome until it is acknowledged.
 */
it('does power work once and repeats its outcome until acknowledged', async () => {
  const work = {
    id: 41,
    kind: 'power' as const,
    systemId: 'abc123',
    attempt: 1,
    generation: 1,
    action: 'on' as const,
    soft: false,
    bootFrom: null,
    firmware: 'auto' as const,
    powerType: 'manual',
    parameters: {},
  };
  region.say({ type: 'work', work });
  const done = () => region.of('work.done').map(({ id, outcome }) => [id, outcome]);
  await expect.poll(done).toEqual([[41, { ok: true, state: 'unknown' }]]);
  await expect.poll(done, { timeout: 8000 }).toHaveLength(2);
  region.say({ type: 'work.ack', id: 41 });
  await expect.poll(() => readdir(join(dir, 'rack/work'))).toEqual([]);
}, 15_000);

/**
 * @fault The region is away, and the rack is killed with -9 meanwhile.
 * @sees Machines boot as before; the console shows the rack as away.
 * @ends The rack serves from its last snapshot and reports what it saw when the region is back.
 */
it('goes on serving without its region, also after a kill -9, and reports when the region is back', async () => {
  await region.stop();
  const away = await get('https://10.78.0.1:5249/agent/v1/task', '-i');
  expect(away).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 2/i);
  const kea = await keaPid();
  rack.kill('SIGKILL');
  await expect.poll(() => isAlive(kea), { timeout: 3000 }).toBe(false);
  startRackProcess();
  await expect
    .poll(() => get('http://10.78.0.1:5248/boot.ipxe').catch(() => ''), { timeout: 10_000 })
    .toContain('ingot.ticket=');
  await inMachine(process.execPath, client, 'lease', '02:00:00:00:00:ac', ipxe);
  expect(await get(`http://10.78.0.1:5248/blobs/sha256/${sum}`)).toBe(blob.toString('latin1'));

  region = startFakeRegion(socketPath(), snapshot, new Map([[sum, blob]]));
  await region.listening;
  await expect
    .poll(() => region.evidence.map(({ kind }) => kind), { timeout: 5000 })
    .toEqual(expect.arrayContaining(['boot.script', 'dhcp.lease']));
  expect(region.of('hello')[0]?.snapshotVersion).toBe(3);
  expect(region.of('leases').flatMap(({ items }) => items.map((item) => item.mac))).toEqual(
    expect.arrayContaining([mac, '02:00:00:00:00:ac']),
  );
}, 40_000);

it('shows its metrics on a socket of its own', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const outgoing = request({ socketPath: join(dir, 'rack/metrics.sock'), path: '/metrics' }, async (response) => {
      resolve(Buffer.concat(await response.toArray()).toString());
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
  expect(text).toMatch(/^ingot_rack_region_connected 1$/m);
  expect(text).toMatch(/^ingot_rack_image_cache_bytes 200000$/m);
});

it('ends with everything it started within 2 s', async () => {
  const kea = await keaPid();
  expect(isAlive(kea)).toBe(true);
  const started = performance.now();
  const gone = new Promise<number | null>((resolve) => rack.once('exit', resolve));
  rack.kill('SIGTERM');
  expect(await gone).toBe(0);
  expect(performance.now() - started).toBeLessThan(2000);
  expect(isAlive(kea)).toBe(false);
}, 10_000);
