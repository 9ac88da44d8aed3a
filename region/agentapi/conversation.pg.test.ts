import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnlistReply, type Inventory, type ScriptItem, SessionReply, Task } from '@ingot/contract/agent.ts';
import { decide } from '@ingot/core/machine/decide.ts';
import type { Actor, Command } from '@ingot/core/machine/model.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instanceTokenOf } from '../accounts/instance-tokens.ts';
import { createUser } from '../accounts/users.ts';
import type { RegionDeps } from '../deps.ts';
import { recordEvidence } from '../evidence/record.ts';
import { openBlobStore } from '../images/blobs.ts';
import { registerImage } from '../images/catalogue.ts';
import { createDoor } from '../lifecycle/door.ts';
import { registerMetadata } from '../metadata/register.ts';
import { saveRack, takeLink } from '../racklink/rack-rows.ts';
import { startChangeFeed } from '../store/changes.ts';
import { readPowerParameters } from '../store/power-parameters.ts';
import { createSealer } from '../store/sealer.ts';
import { writeSettings } from '../store/settings.ts';
import { writeUserData } from '../store/user-data.ts';
import { silentLog, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { registerAgentApi } from './register.ts';
import { type TestRack, testRack } from './test-rack.ts';

const MAC = '52:54:00:77:00:01';
const CLIENT = '10.77.0.57';
const GIB = 2 ** 30;

const inventory: Inventory = {
  firmware: 'bios',
  lshwXml: '<list/>\n',
  lsblk: JSON.stringify({
    blockdevices: [
      { name: 'vda', kname: 'vda', type: 'disk', size: 8 * GIB, ro: false, serial: 'DISK0', model: 'QEMU', rm: false },
    ],
  }),
  ipAddress: JSON.stringify([
    {
      ifname: 'ens3',
      link_type: 'ether',
      address: MAC,
      mtu: 1500,
      addr_info: [{ family: 'inet', local: CLIENT, prefixlen: 24, scope: 'global' }],
    },
    { ifname: 'ens4', link_type: 'ether', address: '52:54:00:77:00:02', mtu: 1500, addr_info: [] },
  ]),
  dmi: { 'system-manufacturer': 'Maker', 'system-product-name': 'Box', 'system-uuid': randomUUID() },
  cpuinfo:
    'processor\t: 0\nmodel name\t: Some CPU\nflags\t: fpu hypervisor\n\nprocessor\t: 1\nmodel name\t: Some CPU\nflags\t: fpu hypervisor\n',
  meminfo: 'MemTotal:        2048000 kB\n',
  lspci: '',
  ethernet: ['ens3', 'ens4'].map((name, index) => ({
    name,
    mac: `52:54:00:77:00:0${index + 1}`,
    driver: 'virtio_net',
    vendor: 'Red Hat',
    product: 'Virtio',
    firmware: '',
    linkDetected: index === 0,
    speedMbps: 1000,
    maxSpeedMbps: 1000,
  })),
  lldp: '',
  modaliases: [],
  cmdline: `BOOT_IMAGE=x BOOTIF=01-${MAC.replaceAll(':', '-')} quiet`,
};
const bmc = {
  powerType: 'ipmi' as const,
  parameters: {
    power_address: '10.77.0.101',
    power_user: 'maas',
    power_pass: 'pw-from-inside',
    power_driver: 'LAN_2_0',
  },
};

let cluster: TestCluster;
let dir: string;
let deps: RegionDeps;
let app: FastifyInstance;
let rack: TestRack;
let admin: Actor;
let stopFeed: () => Promise<void>;

beforeAll(async () => {
  cluster = await startTestCluster();
  const { db, pool, address } = await cluster.database();
  dir = await mkdtemp(join(tmpdir(), 'ingot-agentapi-'));
  const changes = await startChangeFeed({ db, pool }, address, silentLog);
  stopFeed = () => changes.stop();
  const sealer = createSealer(Buffer.alloc(32, 7));
  const door = createDoor({ db, sealer, decide, committed: () => changes.announce() });
  const blobs = openBlobStore(join(dir, 'blobs'));
  deps = { db, pool, sealer, blobs, door, changes, log: silentLog, process: 'test', stateDir: dir };
  app = Fastify({ logger: false });
  registerAgentApi(app, deps);
  registerMetadata(app, deps);
  rack = testRack(app);
  await saveRack(db, { id: rack.id, name: 'rack-one', publicKey: rack.publicKey });
  await takeLink(db, rack.id, 'test');
  const vlan = await db.selectFrom('vlans').select('id').executeTakeFirstOrThrow();
  await db
    .insertInto('subnets')
    .values({
      name: 'lab',
      cidr: '10.77.0.0/24',
      vlan_id: vlan.id,
      gateway_ip: '10.77.0.1',
      dns_servers: ['10.77.0.1'],
    })
    .execute();
  const user = await createUser(deps, { username: 'ada', password: 'long-enough-password', isAdmin: true });
  await db.insertInto('ssh_keys').values({ user_id: user.id, key: 'ssh-ed25519 AAAA ada@home' }).execute();
  admin = { kind: 'user', id: user.id, name: 'ada', admin: true };
  const image = { os: 'debian', release: 'bookworm', arch: 'amd64', version: '20260101', title: 'Debian 12' };
  const file = async (name: string) => {
    await writeFile(join(dir, name), name);
    return { filetype: name, path: join(dir, name) };
  };
  const boot = [await file('boot-kernel'), await file('boot-initrd'), await file('squashfs')];
  await registerImage(deps, { ...image, purpose: 'ephemeral', files: boot });
  await registerImage(deps, { ...image, purpose: 'deploy', files: [await file('root-tar.zst')] });
});
afterAll(async () => {
  await app.close();
  await stopFeed();
  await cluster.close();
  await rm(dir, { recursive: true, force: true });
});

const from = { client: CLIENT, mac: MAC };
const trade = (ticket: string, over: Partial<typeof from> = {}) =>
  rack.forward({
    url: '/agent/v1/session',
    ...from,
    ...over,
    body: { ticket, firmware: 'bios', architecture: 'amd64', agentVersion: '0.1.0' },
  });
const say = (token: string, path: string, body: unknown) =>
  rack.forward({ url: `/agent/v1/${path}`, ...from, headers: { authorization: `Bearer ${token}` }, body });
const ask = (token: string, path = 'task') =>
  rack.forward({ method: 'GET', url: `/agent/v1/${path}`, ...from, headers: { authorization: `Bearer ${token}` } });

async function task<K extends Task['kind']>(token: string, kind: K): Promise<Extract<Task, { kind: K }>> {
  const answer = await ask(token);
  const parsed = Task.parse(answer.body);
  expect(parsed.kind).toBe(kind);
  // The line before has just said so; the narrowing cannot be seen by the compiler.
  return parsed as Extract<Task, { kind: K }>;
}

/** A boot of the machine in its open attempt: a new ticket, traded. */
async function boot(systemId: string): Promise<{ token: string; attempt: number; ticket: string; sshKeys: string[] }> {
  const attempt = (await state(systemId)).attempt?.id ?? -1;
  const ticket = rack.ticket({ mac: MAC, machine: systemId, attempt });
  const answer = await trade(ticket);
  expect(answer.status).toBe(200);
  const { token, sshKeys } = SessionReply.parse(answer.body);
  return { token, attempt, ticket, sshKeys };
}

async function state(systemId: string) {
  const machine = await deps.door.load(systemId);
  if (!machine) throw new Error(`no machine ${systemId}`);
  return machine;
}

async function apply(systemId: string, command: Command): Promise<void> {
  const applied = await deps.door.apply(systemId, command);
  expect(applied).toMatchObject({ ok: true });
}

async function passScript(token: string, item: ScriptItem): Promise<void> {
  const name = { kind: 'script', name: item.name, resultId: item.resultId };
  expect((await say(token, 'progress', { ...name, state: 'started' })).status).toBe(204);
  const stream = Buffer.from(`${item.name} ran\n`).toString('base64');
  const outcome = {
    status: 'passed',
    exitStatus: 0,
    seconds: 0.5,
    output: stream,
    stdout: stream,
    stderr: '',
    result: '',
  };
  expect((await say(token, `results/${item.resultId}`, outcome)).status).toBe(204);
}

/** The same of several, as one request. */
async function passTogether(token: string, items: ScriptItem[]): Promise<void> {
  const none = { output: '', stdout: '', stderr: '', result: '' };
  const reports = items.flatMap(({ name, resultId }) => [
    { progress: { kind: 'script', name, resultId, state: 'started' } },
    { resultId, outcome: { ...none, status: 'passed', exitStatus: 0, seconds: 0.5 } },
  ]);
  expect((await say(token, 'reports', { reports })).status).toBe(204);
}

async function enlist(): Promise<string> {
  const { body } = await trade(rack.ticket({ mac: MAC }));
  const { token, machine } = SessionReply.parse(body);
  expect(machine).toBeNull();
  await task(token, 'enlist');
  const report = {
    architecture: 'amd64',
    macAddresses: ['52:54:00:77:00:02', MAC],
    hardwareUuid: null,
    bmc,
    inventory,
  };
  const reply = EnlistReply.parse((await say(token, 'enlist', report)).body);
  // The answer may have been lost: asked again, it is the same and makes no second machine.
  expect((await say(token, 'enlist', report)).body).toEqual(reply);
  expect(reply.next).toBe('poweroff');
  return reply.machine;
}

const done = { outcome: 'ok', code: null, message: null, bmc: null };
/** The machine's power follows the order, as the loop and the rack would make it. */
async function switched(systemId: string, power: 'on' | 'off'): Promise<void> {
  await apply(systemId, { type: 'power-observed', actor: { kind: 'system' }, state: power });
}

describe('the whole life of a machine, spoken by its agent', () => {
  let systemId: string;

  it('enlists with everything it is, and its evidence of before', async () => {
    const seen = { mac: MAC, address: CLIENT, systemId: null, attempt: null, agoMs: 1000 };
    await recordEvidence(deps, rack.id, [{ ...seen, kind: 'dhcp.lease', text: 'lease', data: {} }]);
    systemId = await enlist();
    const machine = await deps.db
      .selectFrom('machines')
      .selectAll()
      .where('system_id', '=', systemId)
      .executeTakeFirstOrThrow();
    expect(machine).toMatchObject({
      status: 'NEW',
      architecture: 'amd64/generic',
      cpu_count: 2,
      memory: 2000,
      power_type: 'ipmi',
      bios_boot_method: 'pxe',
    });
    const disks = await deps.db.selectFrom('block_devices').selectAll().where('machine_id', '=', machine.id).execute();
    expect(disks).toMatchObject([{ name: 'vda', serial: 'DISK0', size: 8 * GIB }]);
    const cards = await deps.db
      .selectFrom('interfaces')
      .selectAll()
      .where('machine_id', '=', machine.id)
      .orderBy('name')
      .execute();
    expect(cards).toMatchObject([{ name: 'ens3', mac: MAC }, { name: 'ens4' }]);
    expect(machine.boot_interface_id).toBe(cards[0]?.id);
    const evidence = await deps.db
      .selectFrom('evidence')
      .selectAll()
      .where('attempt_id', '=', machine.attempt_id)
      .execute();
    expect(evidence.map(({ kind }) => kind)).toContain('dhcp.lease');
    const power = await readPowerParameters(deps, systemId);
    expect(power.parameters).toMatchObject(bmc.parameters);
  });

  it('is refreshed, not doubled, when it enlists again', async () => {
    expect(await enlist()).toBe(systemId);
    expect(await deps.db.selectFrom('machines').select('id').execute()).toHaveLength(1);
  });

  it('fails the commissioning when the machine tells too little to be one, and takes nothing more of it', async () => {
    await apply(systemId, { type: 'commission', actor: admin });
    const { token } = await boot(systemId);
    const empty = { ...inventory, cpuinfo: '', meminfo: '', lshwXml: '<list' };
    expect((await say(token, 'inventory', { nothing: true })).body).toMatchObject({ code: 'agent.bad_request' });
    expect((await say(token, 'inventory', empty)).status).toBe(204);
    expect(await state(systemId)).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      attempt: { failure: { code: 'inventory.invalid', message: expect.stringContaining('no processor, no memory') } },
    });
    const late = await say(token, 'inventory', inventory);
    expect([late.status, late.body]).toMatchObject([409, { code: 'agent.attempt_over' }]);
    const stored = await deps.db.selectFrom('machines').select('cpu_count').executeTakeFirstOrThrow();
    expect(stored.cpu_count).toBe(2);
    await switched(systemId, 'off');
  });

  /**
   * @fault A script runs past its time limit and is ended by the agent.
   * @sees Failed commissioning with script.timedout, naming the script.
   * @ends The machine is switched off; commissioning again is possible.
   */
  it('tells a script that ran out of time from one that failed', async () => {
    await apply(systemId, { type: 'commission', actor: admin });
    const { token } = await boot(systemId);
    const [slow, ...rest] = (await task(token, 'scripts')).scripts;
    if (!slow) throw new Error('no scripts');
    const none = { output: '', stdout: '', stderr: '', result: '' };
    const late = { ...none, status: 'timedout', exitStatus: 124, seconds: 60 };
    expect((await say(token, `results/${slow.resultId}`, late)).status).toBe(204);
    for (const item of rest) await passScript(token, item);
    await say(token, 'done', { ...done, outcome: 'failed' });
    expect(await state(systemId)).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      attempt: { failure: { code: 'script.timedout', message: `${slow.name} ran past the time limit.` } },
    });
    await switched(systemId, 'off');
  });

  it('moves through the phases that the rack saw', async () => {
    await apply(systemId, { type: 'commission', actor: admin });
    const open = (await state(systemId)).attempt?.id ?? -1;
    const { generation } = await state(systemId);
    const outcome = { ok: true as const, state: 'on' as const };
    await apply(systemId, {
      type: 'power-result',
      actor: { kind: 'rack', rackId: rack.id },
      attemptId: open,
      generation,
      outcome,
    });
    expect((await state(systemId)).attempt?.phase).toBe('dhcp');
    const seen = { mac: MAC, address: CLIENT, systemId, attempt: open, agoMs: 10 };
    const squashfs = await deps.db
      .selectFrom('image_files')
      .selectAll()
      .where('filetype', '=', 'squashfs')
      .executeTakeFirstOrThrow();
    const path = `/blobs/sha256/${squashfs.sha256}`;
    await recordEvidence(deps, rack.id, [
      { ...seen, kind: 'dhcp.lease', text: 'lease', data: {} },
      { ...seen, kind: 'boot.script', text: 'script', data: { decision: 'ephemeral' } },
    ]);
    expect((await state(systemId)).attempt?.phase).toBe('kernel');
    await recordEvidence(deps, rack.id, [
      { ...seen, kind: 'http.read', text: 'half', data: { path, bytes: squashfs.size - 1 } },
    ]);
    expect((await state(systemId)).attempt?.phase).toBe('kernel');
    await recordEvidence(deps, rack.id, [
      { ...seen, kind: 'http.read', text: 'whole', data: { path, bytes: squashfs.size } },
    ]);
    expect((await state(systemId)).attempt?.phase).toBe('agent');
    // Late evidence of an attempt that is over is kept there and moves nothing.
    await recordEvidence(deps, rack.id, [{ ...seen, attempt: open - 1, kind: 'boot.script', text: 'late', data: {} }]);
    expect((await state(systemId)).attempt?.phase).toBe('agent');
  });

  it('commissions: scripts, inventory, tests in the same boot', async () => {
    const { token, attempt } = await boot(systemId);
    const first = await task(token, 'scripts');
    expect(first.phase).toBe('commissioning');
    expect(first.bmc).toMatchObject({ user: 'maas', privilege: 'ADMIN', cipherSuite: '3' });
    const names = first.scripts.map(({ name }) => name);
    expect(names).toContain('30-maas-01-bmc-config');
    // What only tells the inventory is not asked for.
    expect(names).not.toContain('50-maas-01-commissioning');
    const [early, ...rest] = first.scripts;
    if (!early) throw new Error('no scripts');
    await passScript(token, early);
    expect((await state(systemId)).attempt?.phase).toBe(`script:${early.name}`);
    const extra = { storage: '{"layout":"custom"}' };
    expect((await say(token, 'inventory', { ...inventory, extra })).status).toBe(204);
    // After a restart the rest is handed out again, without what has its result.
    const again = (await task(token, 'scripts')).scripts.map(({ name }) => name);
    expect(again).toEqual(names.slice(1));
    const told = await deps.db
      .selectFrom('script_results')
      .select(['name', 'status', 'exit_status', 'stdout', 'output', 'stderr'])
      .where('name', 'in', ['50-maas-01-commissioning', 'maas-lshw', 'maas-kernel-cmdline'])
      .where('set_id', '=', (eb) => eb.selectFrom('script_results').select('set_id').where('id', '=', early.resultId))
      .orderBy('name')
      .execute();
    expect(told).toMatchObject([
      { name: '50-maas-01-commissioning', status: 2, exit_status: 0 },
      { name: 'maas-kernel-cmdline', status: 2, stdout: Buffer.from(`${inventory.cmdline}\n`) },
      { name: 'maas-lshw', status: 2, stdout: Buffer.from(inventory.lshwXml), stderr: Buffer.alloc(0) },
    ]);
    expect(JSON.parse(told[0]?.stdout?.toString() ?? '')).toMatchObject({ 'storage-extra': { layout: 'custom' } });
    // "Done" before everything has its result is answered with what is left.
    expect((await say(token, 'done', done)).body).toEqual({ next: 'task' });
    for (const item of rest) await passScript(token, item);
    expect((await say(token, 'done', { ...done, bmc })).body).toEqual({ next: 'task' });
    expect((await state(systemId)).status).toBe('TESTING');
    // The answer was lost, so it is said again: the tests are still to come.
    expect((await say(token, 'done', done)).body).toEqual({ next: 'task' });
    const tests = await task(token, 'scripts');
    expect(tests).toMatchObject({ phase: 'testing', scripts: [{ name: 'smartctl-validate' }] });
    for (const item of tests.scripts) await passScript(token, item);
    expect((await say(token, 'done', done)).body).toEqual({ next: 'poweroff' });
    expect((await say(token, 'done', done)).body).toEqual({ next: 'poweroff' });
    expect((await state(systemId)).status).toBe('READY');
    expect((await task(token, 'leave')).next).toBe('poweroff');
    // Reports after the end are refused.
    expect((await say(token, 'inventory', inventory)).status).toBe(409);
    const log = await deps.db
      .selectFrom('script_results')
      .selectAll()
      .where('id', '=', early.resultId)
      .executeTakeFirstOrThrow();
    expect(log).toMatchObject({ status: 2, exit_status: 0, stdout: Buffer.from(`${early.name} ran\n`) });
    expect(attempt).toBeGreaterThan(0);
    await switched(systemId, 'off');
  });

  it('has the default network and layout', async () => {
    const links = await deps.db
      .selectFrom('interface_links as l')
      .innerJoin('interfaces as i', 'i.id', 'l.interface_id')
      .select(['i.name', 'l.mode', 'l.subnet_id'])
      .orderBy('i.name')
      .execute();
    expect(links).toMatchObject([
      { name: 'ens3', mode: 'auto' },
      { name: 'ens4', mode: 'link_up', subnet_id: null },
    ]);
    const partitions = await deps.db
      .selectFrom('partitions as p')
      .innerJoin('filesystems as f', 'f.partition_id', 'p.id')
      .select(['p.index', 'f.fstype', 'f.mount_point'])
      .execute();
    expect(partitions).toEqual([{ index: 2, fstype: 'ext4', mount_point: '/' }]);
    const tags = await deps.db.selectFrom('tags').select('name').execute();
    expect(tags).toEqual([{ name: 'virtual' }]);
  });

  it('is installed, boots and reads its own metadata', async () => {
    await apply(systemId, { type: 'allocate', actor: admin });
    await writeUserData(deps, systemId, Buffer.from('#cloud-config\n{}\n'));
    const image = { osystem: 'debian', distroSeries: 'bookworm', imageAvailable: true };
    await apply(systemId, { type: 'deploy', actor: admin, ...image });
    const { token } = await boot(systemId);
    const { plan, resultId } = await task(token, 'install');
    expect(plan).toMatchObject({
      firmware: 'bios',
      disk: { name: 'vda', serial: 'DISK0' },
      image: { format: 'tar.zst' },
    });
    const cloud = plan.files.map(({ content }) => content).join('\n');
    expect(cloud).toContain('http://10.77.0.1:5248/MAAS/metadata/');
    expect(cloud).not.toContain('"level"');
    const auto = await deps.db
      .selectFrom('interface_links')
      .select('address_id')
      .where('mode', '=', 'auto')
      .executeTakeFirstOrThrow();
    expect(auto.address_id).not.toBeNull();
    expect(cloud).toMatch(/"10\.77\.0\.\d+\/24"/);
    const step = { kind: 'step', name: 'image', resultId };
    await say(token, 'progress', { ...step, state: 'started' });
    await say(token, 'progress', { ...step, state: 'running', bytesDone: 10, bytesTotal: 40 });
    const phase = await deps.db
      .selectFrom('attempt_phases')
      .selectAll()
      .where('name', '=', 'step:image')
      .executeTakeFirstOrThrow();
    expect(phase).toMatchObject({ bytes_done: 10, bytes_total: 40, ended: null });
    expect((await say(token, 'done', done)).body).toEqual({ next: 'reboot' });
    expect((await say(token, 'done', done)).body).toEqual({ next: 'reboot' });
    expect(await state(systemId)).toMatchObject({ status: 'DEPLOYING', netboot: false, bootTarget: 'local' });
    expect((await read('meta-data/instance-id')).text).toBe(systemId);
    expect((await read('meta-data/public-keys')).text).toBe('ssh-ed25519 AAAA ada@home');
    expect((await read('meta-data/vendor-data')).text).toBe('{}\n');
    expect((await state(systemId)).status).toBe('DEPLOYING');
    const userData = await read('user-data');
    expect([userData.status, userData.text]).toEqual([200, '#cloud-config\n{}\n']);
    expect((await state(systemId)).status).toBe('DEPLOYED');
    const finish = {
      event_type: 'finish',
      origin: 'cloudinit',
      name: 'modules-final',
      description: 'x',
      result: 'SUCCESS',
    };
    expect((await report(systemId, finish)).status).toBe(204);
    expect((await state(systemId)).attempt).toMatchObject({ kind: 'deploy', outcome: 'passed' });
  });

  it('opens nobody else’s metadata, and nothing to strangers', async () => {
    const other = await deps.db
      .insertInto('machines')
      .values({ system_id: 'other1', hostname: 'other', zone_id: 1 })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(other.id).toBeGreaterThan(0);
    // A token names its machine; there is no way to ask for another one's.
    const event = { event_type: 'finish', origin: 'c', name: 'modules-final', description: 'x', result: 'FAIL' };
    expect((await report('other1', event)).status).toBe(401);
    const token = await instanceTokenOf(deps, systemId);
    const header = oauthHeader(token?.consumerKey ?? '', token?.tokenKey ?? '', 'wrong-secret');
    for (const path of ['2012-03-01/user-data', 'latest/meta-data/instance-id', 'latest/meta-data/']) {
      const get = (headers: Record<string, string>) =>
        app.inject({ method: 'GET', url: `/MAAS/metadata/${path}`, headers });
      expect((await get({})).statusCode).toBe(401);
      expect((await get({ authorization: header })).statusCode).toBe(401);
    }
    for (const url of [
      `/MAAS/metadata/latest/by-id/${systemId}/?op=get_preseed`,
      `/MAAS/metadata/latest/by-mac/${MAC}/user-data`,
      '/MAAS/metadata/latest/enlist-preseed/?op=get_enlist_preseed',
    ]) {
      expect((await app.inject({ method: 'GET', url })).statusCode).toBe(404);
    }
    const off = await app.inject({ method: 'POST', url: `/MAAS/metadata/latest/by-id/${systemId}/?op=netboot_off` });
    expect(off.statusCode).toBe(404);
    // A used nonce is somebody who listened.
    const once = oauthHeader(token?.consumerKey ?? '', token?.tokenKey ?? '', token?.tokenSecret ?? '');
    const twice = () =>
      app.inject({ method: 'GET', url: '/MAAS/metadata/latest/user-data', headers: { authorization: once } });
    expect([(await twice()).statusCode, (await twice()).statusCode]).toEqual([200, 401]);
  });

  it('enters rescue mode, stays there, and can be booted again in it', async () => {
    await apply(systemId, { type: 'rescue', actor: admin });
    const { token, sshKeys, attempt } = await boot(systemId);
    expect(sshKeys).toEqual(['ssh-ed25519 AAAA ada@home']);
    await task(token, 'rescue');
    await say(token, 'progress', { kind: 'step', name: 'rescue', state: 'finished', seconds: 0 });
    expect((await state(systemId)).status).toBe('RESCUE_MODE');
    expect((await ask(token)).status).toBe(204);
    const again = await trade(rack.ticket({ mac: MAC, machine: systemId, attempt, issued: Date.now() + 5 }));
    expect(again.status).toBe(200);
    await task(SessionReply.parse(again.body).token, 'rescue');
    await apply(systemId, { type: 'exit-rescue', actor: admin });
    const open = await state(systemId);
    const order = { attemptId: open.attempt?.id ?? null, generation: open.generation };
    const actor = { kind: 'rack', rackId: rack.id } as const;
    await apply(systemId, { type: 'power-result', actor, ...order, outcome: { ok: true, state: 'on' } });
    expect((await state(systemId)).status).toBe('DEPLOYED');
  });

  it('is erased and forgets its token', async () => {
    const token = await instanceTokenOf(deps, systemId);
    await apply(systemId, { type: 'release', actor: admin, erase: true });
    const session = await boot(systemId);
    const erase = await task(session.token, 'erase');
    expect(erase).toMatchObject({ secure: false, quick: false });
    expect((await say(session.token, 'done', done)).body).toEqual({ next: 'poweroff' });
    const wipe = await deps.db
      .selectFrom('script_results')
      .select('status')
      .where('id', '=', erase.resultId)
      .executeTakeFirst();
    expect(wipe?.status).toBe(2);
    expect((await state(systemId)).status).toBe('RELEASING');
    const headers = {
      authorization: oauthHeader(token?.consumerKey ?? '', token?.tokenKey ?? '', token?.tokenSecret ?? ''),
    };
    const answer = await app.inject({ method: 'GET', url: '/MAAS/metadata/latest/user-data', headers });
    expect(answer.statusCode).toBe(401);
  });

  function oauthHeader(consumer: string, token: string, secret: string): string {
    return `OAuth oauth_nonce="${randomUUID()}", oauth_timestamp="${Math.round(Date.now() / 1000)}", oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="${consumer}", oauth_token="${token}", oauth_signature="%26${secret}"`;
  }
  async function signed(): Promise<{ authorization: string }> {
    const token = await instanceTokenOf(deps, systemId);
    if (!token) throw new Error('no instance token');
    return { authorization: oauthHeader(token.consumerKey, token.tokenKey, token.tokenSecret) };
  }
  const read = async (path: string) =>
    rack.forward({ method: 'GET', url: `/MAAS/metadata/2012-03-01/${path}`, ...from, headers: await signed() });
  const report = async (of: string, body: unknown) =>
    rack.forward({ url: `/MAAS/metadata/status/${of}`, ...from, headers: await signed(), body });
});

describe('boot tickets', () => {
  const mac = '52:54:00:77:09:01';
  const there = { client: '10.77.0.99', mac };

  it('may be traded again until the session was used, by the same machine only', async () => {
    const ticket = rack.ticket({ mac });
    const first = SessionReply.parse((await trade(ticket, there)).body);
    expect((await trade(ticket, { ...there, client: '10.77.0.98' })).body).toMatchObject({
      code: 'boot.ticket_reused',
    });
    const second = SessionReply.parse((await trade(ticket, there)).body);
    expect(second.token).not.toBe(first.token);
    expect((await ask(first.token)).status).toBe(401);
    expect((await ask(second.token)).status).toBe(200);
    const third = await trade(ticket, there);
    expect([third.status, third.body]).toMatchObject([403, { code: 'boot.ticket_reused' }]);
    const evidence = await deps.db
      .selectFrom('evidence')
      .selectAll()
      .where('kind', '=', 'boot.ticket_reused')
      .execute();
    expect(evidence.length).toBe(2);
  });

  it('are nobody’s without the lease they were made for, or another rack’s signature', async () => {
    const ticket = rack.ticket({ mac });
    expect((await trade(ticket, { ...there, mac: '52:54:00:77:09:02' })).body).toMatchObject({
      code: 'boot.ticket_invalid',
    });
    expect((await trade(ticket, { ...there, mac: '' })).body).toMatchObject({ code: 'boot.ticket_invalid' });
    const stranger = testRack(app, rack.id);
    expect((await trade(stranger.ticket({ mac }), there)).body).toMatchObject({ code: 'boot.ticket_invalid' });
    const forged = await stranger.forward({ url: '/agent/v1/session', ...there, body: { ticket } });
    expect([forged.status, forged.body]).toMatchObject([403, { code: 'agent.not_forwarded' }]);
    const direct = await app.inject({ method: 'POST', url: '/agent/v1/session', payload: { ticket } });
    expect(direct.statusCode).toBe(403);
  });

  it('a newer one voids the older one and its session', async () => {
    const row = await deps.db
      .selectFrom('machines')
      .select(['system_id'])
      .where('status', '=', 'RELEASING')
      .executeTakeFirstOrThrow();
    const systemId = row.system_id;
    const attempt = (await state(systemId)).attempt?.id ?? -1;
    const now = Date.now() + 1000;
    const older = rack.ticket({ mac: MAC, machine: systemId, attempt, issued: now });
    const newer = rack.ticket({ mac: MAC, machine: systemId, attempt, issued: now + 1 });
    const first = SessionReply.parse((await trade(older)).body);
    const second = SessionReply.parse((await trade(newer)).body);
    expect((await ask(first.token)).status).toBe(401);
    expect((await ask(second.token)).status).toBe(200);
    expect((await trade(older)).body).toMatchObject({ code: 'boot.ticket_reused' });
    expect((await trade(rack.ticket({ mac: MAC, machine: systemId, attempt: attempt + 1000 }))).status).toBe(403);
    // A machine that was accepted cannot look in without an attempt.
    expect((await trade(rack.ticket({ mac: MAC, machine: systemId }))).body).toMatchObject({
      code: 'boot.ticket_invalid',
    });
  });

  /**
   * @fault A flood of enlistments: more machines than anybody could want report themselves on one VLAN.
   * @sees enlist.limit at the machine; 64 machines of the VLAN wait in the list.
   * @ends Further ones are refused until waiting ones are accepted or deleted; nothing is stored of them.
   */
  it('at most 64 machines of a VLAN wait to be accepted', async () => {
    const vlan = await deps.db.selectFrom('vlans').select('id').executeTakeFirstOrThrow();
    for (let n = 0; n < 64; n++) {
      const { id } = await deps.db
        .insertInto('machines')
        .values({ system_id: `wait${n}`, hostname: `waiting-${n}`, zone_id: 1 })
        .returning('id')
        .executeTakeFirstOrThrow();
      const own = `52:54:00:99:00:${n.toString(16).padStart(2, '0')}`;
      await deps.db
        .insertInto('interfaces')
        .values({ machine_id: id, name: 'eth0', mac: own, vlan_id: vlan.id })
        .execute();
    }
    const late = { client: '10.77.0.97', mac: '52:54:00:77:0a:01' };
    const { token } = SessionReply.parse((await trade(rack.ticket({ mac: late.mac }), late)).body);
    const report = {
      architecture: 'amd64',
      macAddresses: [late.mac],
      hardwareUuid: null,
      bmc: null,
      inventory: { ...inventory, ethernet: [] },
    };
    const answer = await rack.forward({
      url: '/agent/v1/enlist',
      ...late,
      headers: { authorization: `Bearer ${token}` },
      body: report,
    });
    expect([answer.status, answer.body]).toMatchObject([409, { code: 'enlist.limit' }]);
    expect(await deps.db.selectFrom('interfaces').select('id').where('mac', '=', late.mac).execute()).toEqual([]);
  });
});

describe('an agent that stays for more work', () => {
  it('is handed work that was ordered before it asked, as long as somebody waits for it', async () => {
    const [{ system_id: systemId } = { system_id: '' }] = await deps.db
      .selectFrom('machines')
      .select('system_id')
      .where('status', '=', 'RELEASING')
      .execute();
    await switched(systemId, 'off');
    await writeSettings(deps.db, { fast_track: 5 });
    await apply(systemId, { type: 'test', actor: admin });
    const { token } = await boot(systemId);
    for (const item of (await task(token, 'scripts')).scripts) await passScript(token, item);
    expect((await say(token, 'done', done)).body).toEqual({ next: 'stay' });
    await apply(systemId, { type: 'commission', actor: admin });
    expect(await state(systemId)).toMatchObject({ powerWant: null, attempt: { phase: 'agent', agentSeen: false } });
    // The answer was lost: it does not end the work that it has not heard of.
    expect((await say(token, 'done', done)).body).toEqual({ next: 'stay' });
    expect((await state(systemId)).status).toBe('COMMISSIONING');
    const { phase, scripts } = await task(token, 'scripts');
    expect(phase).toBe('commissioning');
    expect((await say(token, 'inventory', inventory)).status).toBe(204);
    expect((await state(systemId)).attempt?.agentSeen).toBe(true);
    await passTogether(token, scripts);
    expect((await say(token, 'reports', { reports: [] })).status).toBe(400);
    const phases = await deps.db
      .selectFrom('attempt_phases as p')
      .innerJoin('machines as m', 'm.attempt_id', 'p.attempt_id')
      .select(['p.name', 'p.tool_ms'])
      .where('m.system_id', '=', systemId)
      .where('p.name', 'like', 'script:%')
      .orderBy('p.id')
      .execute();
    expect(phases).toEqual(scripts.map(({ name }) => ({ name: `script:${name}`, tool_ms: 500 })));
    expect((await say(token, 'done', done)).body).toEqual({ next: 'task' });
    for (const item of (await task(token, 'scripts')).scripts) await passScript(token, item);
    expect((await say(token, 'done', done)).body).toEqual({ next: 'stay' });
    await apply(systemId, { type: 'test', actor: admin });
    const late = new Date(Date.now() - 1000);
    await deps.db.updateTable('machines').set({ waiting_deadline: late }).where('system_id', '=', systemId).execute();
    await apply(systemId, { type: 'deadline', actor: { kind: 'timer' } });
    expect(await state(systemId)).toMatchObject({ powerWant: 'cycle', attempt: { phase: 'power' } });
    expect((await ask(token)).status).toBe(204);
    await writeSettings(deps.db, { fast_track: 0 });
  });
});
