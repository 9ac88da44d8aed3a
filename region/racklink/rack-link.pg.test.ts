import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ToRack, type ToRegion } from '@ingot/contract/rack.ts';
import { decide } from '@ingot/core/machine/decide.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { RegionDeps } from '../deps.ts';
import { openBlobStore } from '../images/blobs.ts';
import { deleteImage, findDeployImage, listImages, registerImage } from '../images/catalogue.ts';
import { sweepBlobs } from '../images/start.ts';
import { createDoor } from '../lifecycle/door.ts';
import { startChangeFeed } from '../store/changes.ts';
import { writePowerParameters } from '../store/power-parameters.ts';
import { createSealer } from '../store/sealer.ts';
import { silentLog, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { signedText } from './forwarded.ts';
import { createRackToken } from './rack-rows.ts';
import { registerRackLink } from './register.ts';

let cluster: TestCluster;
let dir: string;
let deps: RegionDeps;
/** The rack's unix socket, and a TCP listener where racks must prove who they are. */
let local: FastifyInstance;
let remote: FastifyInstance;
let port: number;
let stopFeed: () => Promise<void>;
let machineId: number;

beforeAll(async () => {
  cluster = await startTestCluster();
  const { db, pool, address } = await cluster.database();
  dir = await mkdtemp(join(tmpdir(), 'ingot-racklink-'));
  const changes = await startChangeFeed({ db, pool }, address, silentLog);
  stopFeed = () => changes.stop();
  const sealer = createSealer(Buffer.alloc(32, 7));
  const door = createDoor({ db, sealer, decide, committed: () => changes.announce() });
  const blobs = openBlobStore(join(dir, 'blobs'));
  deps = { db, pool, sealer, blobs, door, changes, log: silentLog, process: 'test', stateDir: dir };
  local = Fastify({ logger: false });
  registerRackLink(local, deps);
  await local.listen({ path: join(dir, 'rack.sock') });
  remote = Fastify({ logger: false });
  registerRackLink(remote, deps);
  await remote.listen({ port: 0, host: '127.0.0.1' });
  port = Number(new URL(remote.listeningOrigin).port);
  const machine = await db
    .insertInto('machines')
    .values({
      system_id: 'abc123',
      hostname: 'one',
      zone_id: 1,
      architecture: 'amd64/generic',
      bios_boot_method: 'uefi',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  machineId = machine.id;
  await db.insertInto('interfaces').values({ machine_id: machineId, name: 'eth0', mac: '52:54:00:00:00:01' }).execute();
  await writePowerParameters(deps, 'abc123', {
    type: 'ipmi',
    parameters: { power_address: '10.0.0.2', power_user: 'maas', power_pass: 'secret' },
  });
});
afterAll(async () => {
  await local.close();
  await remote.close();
  await stopFeed();
  await cluster.close();
  await rm(dir, { recursive: true, force: true });
});

const links: WebSocket[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.terminate();
});

function newRack(id: string) {
  const keys = generateKeyPairSync('ed25519');
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const headers = (method: string, path: string, offMs = 0) => {
    const time = String(Date.now() + offMs);
    const signature = sign(null, Buffer.from(signedText(method, path, '', '', time)), keys.privateKey);
    return {
      'x-ingot-rack': id,
      'x-ingot-client': '',
      'x-ingot-mac': '',
      'x-ingot-time': time,
      'x-ingot-signature': signature.toString('base64'),
    };
  };
  return { id, publicKey, headers };
}

async function dial(rack: ReturnType<typeof newRack>, url: string, signed: boolean, showKey = true) {
  const link = new WebSocket(url, { headers: signed ? rack.headers('GET', '/rack/v1/link') : {} });
  links.push(link);
  const heard: ToRack[] = [];
  link.on('message', (data) => heard.push(ToRack.parse(JSON.parse(data.toString()))));
  const closed = new Promise<number>((resolve) => link.on('close', resolve));
  await once(link, 'open');
  const say = (message: ToRegion) => link.send(JSON.stringify(message));
  say({
    type: 'hello',
    protocols: [1],
    rack: rack.id,
    name: rack.id,
    version: '0.1.0',
    interfaces: [{ name: 'eth0', mac: '52:54:00:aa:00:01', addresses: ['10.9.0.1/24'], up: true }],
    snapshotVersion: null,
    ...(showKey ? { publicKey: rack.publicKey } : {}),
  });
  const hears = (type: ToRack['type'], times = 1) =>
    vi.waitFor(() => expect(heard.filter((message) => message.type === type).length).toBeGreaterThanOrEqual(times), {
      timeout: 5000,
    });
  return { link, heard, closed, say, hears };
}
const dialLocal = (rack: ReturnType<typeof newRack>, showKey = true) =>
  dial(rack, `ws+unix://${join(dir, 'rack.sock')}:/rack/v1/link`, false, showKey);
const dialRemote = (rack: ReturnType<typeof newRack>, signed = true) =>
  dial(rack, `ws://127.0.0.1:${port}/rack/v1/link`, signed);

async function order(rackId: string): Promise<number> {
  const row = await deps.db
    .insertInto('rack_work')
    .values({ rack_id: rackId, machine_id: machineId, generation: 0, action: 'query' })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

describe('rack link', () => {
  it('enrols over the unix socket, learns the rack’s network and tells it all', async () => {
    const rack = newRack('rack-a');
    const { heard, hears } = await dialLocal(rack);
    await hears('snapshot');
    expect(heard[0]).toMatchObject({ type: 'welcome', protocol: 1 });
    const snapshot = heard.find((message) => message.type === 'snapshot');
    expect(snapshot?.snapshot.machines).toMatchObject([{ systemId: 'abc123', macs: ['52:54:00:00:00:01'] }]);
    const row = await deps.db.selectFrom('racks').selectAll().where('system_id', '=', 'rack-a').executeTakeFirst();
    expect(row).toMatchObject({ name: 'rack-a', public_key: rack.publicKey, version: '0.1.0' });
    const subnets = await deps.db.selectFrom('subnets').select('cidr').execute();
    expect(subnets).toEqual([{ cidr: '10.9.0.0/24' }]);
  });

  it('sends work with its secrets, repeats it after a reconnect, and forgets it when done', async () => {
    const rack = newRack('rack-b');
    const first = await dialLocal(rack);
    await first.hears('snapshot');
    const id = await order('rack-b');
    await first.hears('work');
    // Not always the last: a snapshot may follow on its heels.
    expect(first.heard.find((message) => message.type === 'work')).toMatchObject({
      type: 'work',
      work: { id, systemId: 'abc123', firmware: 'uefi', powerType: 'ipmi', parameters: { power_pass: 'secret' } },
    });
    first.link.terminate();
    const second = await dialLocal(rack);
    await second.hears('work');
    second.say({ type: 'work.done', id, outcome: { ok: true, state: 'on' } });
    await second.hears('work.ack');
    expect((await deps.door.load('abc123'))?.powerState).toBe('on');
    // Said again, because its acknowledgement was lost: acknowledged, and nothing more.
    second.say({ type: 'work.done', id, outcome: { ok: true, state: 'off' } });
    await second.hears('work.ack', 2);
    expect((await deps.door.load('abc123'))?.powerState).toBe('on');
    second.link.terminate();
    const third = await dialLocal(rack);
    await third.hears('snapshot');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(third.heard.some((message) => message.type === 'work')).toBe(false);
  });

  /**
   * @fault A rack's link breaks while a thousand power orders are on their way to it.
   * @sees Nothing, or machines that wait a moment longer.
   * @ends The rack gets every unfinished order again over its next link.
   */
  it('repeats all unfinished work after a reconnect, however much it is', async () => {
    const rack = newRack('rack-many');
    const first = await dialLocal(rack);
    await first.hears('snapshot');
    const ids: number[] = [];
    for (let count = 0; count < 260; count += 1) ids.push(await order('rack-many'));
    await first.hears('work', 260);
    first.link.terminate();
    const second = await dialLocal(rack);
    await second.hears('work', 260);
    const again = second.heard.flatMap((message) => (message.type === 'work' ? [message.work.id] : []));
    expect(again.sort((a, b) => a - b)).toEqual(ids);
    await deps.db.updateTable('rack_work').set({ state: 'done' }).where('id', 'in', ids).execute();
  }, 30_000);

  it('a newer link gets the work, and the older one is closed', async () => {
    const rack = newRack('rack-c');
    const older = await dialLocal(rack);
    await older.hears('snapshot');
    const newer = await dialLocal(rack);
    await newer.hears('snapshot');
    await order('rack-c');
    await newer.hears('work');
    expect(older.heard.some((message) => message.type === 'work')).toBe(false);
    expect(await older.closed).toBe(4001);
  }, 15_000);

  it('keeps evidence, leases and health', async () => {
    const rack = newRack('rack-d');
    const { say, hears, heard } = await dialLocal(rack);
    await hears('snapshot');
    const subnet = await deps.db.selectFrom('subnets').select('id').executeTakeFirstOrThrow();
    const seen = { mac: '52:54:00:0f:00:01', address: '10.9.0.7', systemId: null, attempt: null, agoMs: 5 };
    say({ type: 'evidence', items: [{ ...seen, kind: 'dhcp.lease', text: 'leased', data: { pool: 1 } }] });
    const lease = { ip: '10.9.0.7', mac: seen.mac, hostname: '', subnetId: subnet.id, expiresInSeconds: 600 };
    say({ type: 'leases', items: [lease] });
    say({ type: 'health', services: [{ name: 'kea', ok: true, detail: '' }] });
    await vi.waitFor(async () => {
      const row = await deps.db
        .selectFrom('racks')
        .select('services')
        .where('system_id', '=', 'rack-d')
        .executeTakeFirst();
      expect(row?.services).toEqual([{ name: 'kea', ok: true, detail: '' }]);
    });
    const evidence = await deps.db.selectFrom('evidence').selectAll().where('mac', '=', seen.mac).execute();
    expect(evidence).toMatchObject([{ attempt_id: null, kind: 'dhcp.lease', data: { rack: 'rack-d', pool: 1 } }]);
    const leases = await deps.db.selectFrom('leases').select(['mac', 'rack_id']).execute();
    expect(leases).toEqual([{ mac: seen.mac, rack_id: 'rack-d' }]);
    expect(heard.length).toBeGreaterThan(1);
  });

  it('over the network only an enrolled rack that signs gets in', async () => {
    const rack = newRack('rack-e');
    await expect(dialRemote(rack)).rejects.toThrow('403');
    await expect(dialRemote(rack, false)).rejects.toThrow('401');
    const { token } = await createRackToken(deps);
    const enroll = (body: object) => remote.inject({ method: 'POST', url: '/rack/v1/enroll', payload: body });
    const body = { token, rack: rack.id, name: 'far', publicKey: rack.publicKey };
    expect((await enroll({ ...body, token: 'guessed' })).statusCode).toBe(403);
    expect((await enroll(body)).statusCode).toBe(204);
    // Its answer was lost; nobody else can use the token.
    expect((await enroll(body)).statusCode).toBe(204);
    const thief = newRack('rack-x');
    expect((await enroll({ ...body, rack: thief.id, publicKey: thief.publicKey })).statusCode).toBe(403);
    const taken = await enroll({ ...body, publicKey: thief.publicKey });
    expect([taken.statusCode, taken.json()]).toMatchObject([409, { code: 'rack.known' }]);
    const link = await dialRemote(rack);
    await link.hears('welcome');
    // Its id with another key, and its key with a clock that is off.
    await expect(dialRemote(newRack(rack.id))).rejects.toThrow('403');
    const late = { ...rack, headers: (method: string, path: string) => rack.headers(method, path, -301_000) };
    await expect(dialRemote(late)).rejects.toThrow('403');
    // Signed by one rack, said to be another.
    const posing = newRack('rack-a');
    const wrong = await dial({ ...posing, headers: rack.headers }, `ws://127.0.0.1:${port}/rack/v1/link`, true);
    expect(await wrong.closed).toBe(4003);
  });

  it('a new rack without a key is refused', async () => {
    const { closed } = await dialLocal(newRack('rack-f'), false);
    expect(await closed).toBe(4003);
  });
});

describe('blobs', () => {
  const content = randomBytes(1_300_000);
  const sha256 = createHash('sha256').update(content).digest('hex');

  function get(path: string, headers: Record<string, string> = {}) {
    return new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
      http
        .get({ socketPath: join(dir, 'rack.sock'), path, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        })
        .on('error', reject);
    });
  }

  it('are served whole, in part, and not to strangers', async () => {
    await writeFile(join(dir, 'blob'), content);
    await deps.blobs.adopt(join(dir, 'blob'));
    const path = `/rack/v1/blobs/${sha256}`;
    const whole = await get(path);
    expect([whole.status, whole.headers.etag, whole.body.equals(content)]).toEqual([200, `"${sha256}"`, true]);
    const part = await get(path, { range: 'bytes=1000000-' });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1000000-1299999/1300000']);
    expect(part.body.equals(content.subarray(1_000_000))).toBe(true);
    const other = await get(path, { range: 'bytes=5-', 'if-range': '"other"' });
    expect([other.status, other.body.length]).toEqual([200, 1_300_000]);
    expect((await get(path, { range: 'bytes=1300000-' })).status).toBe(416);
    expect((await get(`/rack/v1/blobs/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await get('/rack/v1/blobs/..%2f..%2fkey')).status).toBe(404);
    expect((await remote.inject({ method: 'GET', url: path })).statusCode).toBe(401);
  });
});

describe('image catalogue', () => {
  const image = { purpose: 'deploy', os: 'debian', release: 'bookworm', arch: 'amd64', title: 'Debian 12' } as const;
  const add = async (version: string) => {
    await writeFile(join(dir, 'root'), `root ${version}`);
    return registerImage(deps, { ...image, version, files: [{ filetype: 'root-tar.zst', path: join(dir, 'root') }] });
  };

  it('takes files in, replaces the same version, and refuses to drop what runs', async () => {
    const first = await add('1');
    expect(await add('1')).toBe(first);
    await add('2');
    expect(await findDeployImage(deps.db, 'bookworm', 'amd64')).toEqual({ os: 'debian', release: 'bookworm' });
    expect(await findDeployImage(deps.db, 'debian/bookworm', 'amd64')).not.toBeNull();
    expect(await findDeployImage(deps.db, 'debian/bookworm', 'arm64')).toBeNull();
    expect((await listImages(deps.db)).map(({ version }) => version)).toEqual(['2', '1']);
    const deployed = { status: 'DEPLOYED', osystem: 'debian', distro_series: 'bookworm' };
    await deps.db.updateTable('machines').set(deployed).where('id', '=', machineId).execute();
    await expect(deleteImage(deps, first)).rejects.toMatchObject({ code: 'image.in_use', kind: 'conflict' });
    await deps.db.updateTable('machines').set({ status: 'READY' }).where('id', '=', machineId).execute();
    await deleteImage(deps, first);
    await expect(deleteImage(deps, first)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses an image without what it needs', async () => {
    await expect(registerImage(deps, { ...image, version: '3', files: [] })).rejects.toMatchObject({
      code: 'image.file_missing',
    });
    const files = [{ filetype: 'root-tgz', sha256: 'f'.repeat(64) }];
    await expect(registerImage(deps, { ...image, version: '3', files })).rejects.toMatchObject({
      code: 'image.blob_missing',
    });
  });

  it('sweeps blobs that no image names, but not young ones', async () => {
    const files = (await listImages(deps.db)).flatMap((one) => one.files.map((file) => file.sha256));
    expect(await sweepBlobs(deps, Date.now())).toBe(0);
    expect(await sweepBlobs(deps, Date.now() + 2 * 3_600_000)).toBeGreaterThan(0);
    for (const sha256 of files) expect(await deps.blobs.has(sha256)).toBe(true);
  });
});
