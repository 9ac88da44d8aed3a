import { randomUUID } from 'node:crypto';
import { type Inventory, SessionReply, Task } from '@ingot/contract/agent.ts';
import type { Command } from '@ingot/core/machine/model.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInstanceToken, instanceTokenOf } from '../accounts/instance-tokens.ts';
import { registerMetadata } from '../metadata/register.ts';
import { saveRack, takeLink } from '../racklink/rack-rows.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { registerAgentApi } from './register.ts';
import { type TestRack, testRack } from './test-rack.ts';

// What a machine, or somebody who says to be one, may try at the agent's interface.

const MIB = 1024 * 1024;
let cluster: TestCluster;
let region: TestRegion;
let app: FastifyInstance;
let rack: TestRack;

beforeAll(async () => {
  cluster = await startTestCluster();
  region = await testRegion(cluster);
  app = Fastify({ logger: false });
  registerAgentApi(app, region.deps);
  registerMetadata(app, region.deps);
  rack = testRack(app);
  const { db } = region.deps;
  await saveRack(db, { id: rack.id, name: 'rack-one', publicKey: rack.publicKey });
  await takeLink(db, rack.id, 'test');
  await region.ephemeralImage();
  const vlan = await db.selectFrom('vlans').select('id').executeTakeFirstOrThrow();
  await db.insertInto('subnets').values({ name: 'lab', cidr: '10.77.0.0/16', vlan_id: vlan.id }).execute();
});
afterAll(async () => {
  await app?.close();
  await region?.close();
  await cluster?.close();
});

interface Host {
  client: string;
  mac: string;
}
let hosts = 0;
/** Somebody on the machines' network with a lease of its own. */
function newHost(): Host {
  hosts += 1;
  const bytes = [hosts >> 8, hosts & 255];
  return {
    client: `10.77.${bytes.join('.')}`,
    mac: `52:54:00:77:${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
  };
}

function inventoryOf(macs: string[]): Inventory {
  const interfaces = macs.map((address, at) => ({ ifname: `ens${at}`, link_type: 'ether', address, addr_info: [] }));
  const ethernet = macs.map((mac, at) => {
    const unknown = { driver: '', vendor: '', product: '', firmware: '' };
    return { name: `ens${at}`, mac, ...unknown, linkDetected: true, speedMbps: 1000, maxSpeedMbps: 1000 };
  });
  const blockdevices = [{ name: 'vda', kname: 'vda', type: 'disk', size: 8e9, ro: false, serial: randomUUID() }];
  return {
    firmware: 'bios',
    lshwXml: '<list/>\n',
    lsblk: JSON.stringify({ blockdevices }),
    ipAddress: JSON.stringify(interfaces),
    dmi: {},
    cpuinfo: 'processor\t: 0\nmodel name\t: Some CPU\n',
    meminfo: 'MemTotal:        2048000 kB\n',
    lspci: '',
    ethernet,
    lldp: '',
    modaliases: [],
    cmdline: '',
  };
}

const trade = (host: Host, ticket: string) =>
  rack.forward({
    url: '/agent/v1/session',
    ...host,
    body: { ticket, firmware: 'bios', architecture: 'amd64', agentVersion: '0.1.0' },
  });
const say = (host: Host, token: string, path: string, body: unknown) =>
  rack.forward({ url: `/agent/v1/${path}`, ...host, headers: { authorization: `Bearer ${token}` }, body });

/** An enlistment that reports `macs`, seen by `told` in its inventory. */
async function enlist(host: Host, macs = [host.mac], told = macs) {
  const { token } = SessionReply.parse((await trade(host, rack.ticket({ mac: host.mac }))).body);
  const inventory = inventoryOf(told);
  const power = { power_address: host.client.replace('10.77.', '10.77.2'), power_user: 'maas', power_pass: 'secret' };
  const bmc = { powerType: 'ipmi', parameters: power };
  const report = { architecture: 'amd64', macAddresses: macs, hardwareUuid: null, bmc, inventory };
  return say(host, token, 'enlist', report);
}

async function interfacesOf(systemId: string): Promise<string[]> {
  const rows = await region.deps.db
    .selectFrom('interfaces as i')
    .innerJoin('machines as m', 'm.id', 'i.machine_id')
    .select('i.mac')
    .where('m.system_id', '=', systemId)
    .orderBy('i.mac')
    .execute();
  return rows.map(({ mac }) => mac ?? '');
}

async function apply(systemId: string, command: Command): Promise<void> {
  expect(await region.deps.door.apply(systemId, command)).toMatchObject({ ok: true });
}

async function state(systemId: string) {
  const machine = await region.deps.door.load(systemId);
  if (!machine) throw new Error(`no machine ${systemId}`);
  return machine;
}

/** A machine of this host in NEW. */
async function enlisted(host: Host): Promise<string> {
  const answer = await enlist(host);
  expect(answer.status).toBe(200);
  const { machine } = answer.body as { machine: string };
  return machine;
}

/** Its commissioning, begun, and the agent of that boot. */
async function commissioning(host: Host, systemId: string): Promise<{ token: string; ticket: string }> {
  await apply(systemId, { type: 'commission', actor: region.admin });
  const attempt = (await state(systemId)).attempt?.id ?? -1;
  const ticket = rack.ticket({ mac: host.mac, machine: systemId, attempt });
  const { token } = SessionReply.parse((await trade(host, ticket)).body);
  return { token, ticket };
}

const ask = async (host: Host, token: string) =>
  Task.parse(
    (
      await rack.forward({
        method: 'GET',
        url: '/agent/v1/task',
        ...host,
        headers: { authorization: `Bearer ${token}` },
      })
    ).body,
  );

/** As if it had been deployed by an administrator. */
async function own(systemId: string): Promise<void> {
  const owned = { status: 'DEPLOYED', owner_id: region.admin.id };
  await region.deps.db.updateTable('machines').set(owned).where('system_id', '=', systemId).execute();
}

describe('forged enlistments', () => {
  /**
   * @fault A host with a lease reports the MAC of another machine as its own, in its report or only in its inventory.
   * @sees The host's console and the region's log: machine.mac_in_use with MAC and name of the machine.
   * @ends Refused; the other machine keeps its interfaces and its boot, whatever its status.
   */
  it.each([
    ['deployed', true],
    ['new', false],
  ])('nobody takes an interface of a %s machine', async (_what, deployed) => {
    const [victim, thief] = [newHost(), newHost()];
    const systemId = await enlisted(victim);
    if (deployed) await own(systemId);
    for (const [macs, told] of [
      [[thief.mac, victim.mac], [thief.mac]],
      [[thief.mac], [thief.mac, victim.mac]],
    ]) {
      const answer = await enlist(thief, macs, told);
      expect([answer.status, answer.body]).toMatchObject([400, { code: 'machine.mac_in_use' }]);
    }
    expect(await interfacesOf(systemId)).toEqual([victim.mac]);
    expect((await enlist(thief)).status).toBe(200);
  });

  /**
   * @fault A host enlists with a MAC that is not the one its lease is for, or not through a rack at all.
   * @sees agent.bad_request at the host; 403 agent.not_forwarded for who comes directly.
   * @ends Nothing is stored.
   */
  it('a report counts only for the MAC that holds the lease', async () => {
    const [host, other] = [newHost(), newHost()];
    expect((await enlist(host, [other.mac])).body).toMatchObject({ code: 'agent.bad_request' });
    const direct = await app.inject({ method: 'POST', url: '/agent/v1/enlist', payload: {} });
    expect([direct.statusCode, direct.json()]).toMatchObject([403, { code: 'agent.not_forwarded' }]);
  });

  /**
   * @fault A host that is deployed, or at work, boots as an unknown one would and enlists.
   * @sees status.wrong at the host, with the name of the machine that it is.
   * @ends Refused; the machine is not changed.
   */
  it('an accepted machine does not enlist again', async () => {
    const host = newHost();
    const systemId = await enlisted(host);
    await apply(systemId, { type: 'commission', actor: region.admin });
    expect((await enlist(host)).body).toMatchObject({ code: 'status.wrong' });
    expect((await state(systemId)).status).toBe('COMMISSIONING');
    await apply(systemId, { type: 'abort', actor: region.admin });
    await own(systemId);
    const before = await state(systemId);
    expect((await enlist(host)).body).toMatchObject({ code: 'status.wrong' });
    expect(before.status).toBe('DEPLOYED');
    expect(await state(systemId)).toEqual(before);
  });
});

describe('two machines with one MAC', () => {
  /**
   * @fault A machine is commissioned and reports a card with the MAC of a machine that is in use.
   * @sees Failed commissioning with machine.mac_in_use, naming MAC and machine.
   * @ends The machine in use keeps its interface; when the twin card is gone, commissioning passes.
   */
  it('commissioning fails by name while the other one is in use', async () => {
    const [one, twin] = [newHost(), newHost()];
    const [first, second] = [await enlisted(one), await enlisted(twin)];
    await own(first);
    const { token } = await commissioning(twin, second);
    expect((await say(twin, token, 'inventory', inventoryOf([twin.mac, one.mac]))).status).toBe(204);
    expect(await state(second)).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      attempt: { failure: { code: 'machine.mac_in_use', message: expect.stringContaining(one.mac) } },
    });
    expect(await interfacesOf(first)).toEqual([one.mac]);
    const again = await commissioning(twin, second);
    expect((await say(twin, again.token, 'inventory', inventoryOf([twin.mac]))).status).toBe(204);
    expect(await state(second)).toMatchObject({ status: 'COMMISSIONING', attempt: { failure: null } });
  });

  /**
   * @fault A network card is moved from an idle machine into another one, which is commissioned again.
   * @sees The interface at the machine it is in now, and no longer at the other one.
   * @ends Commissioning goes on.
   */
  it('a card moves from an idle machine', async () => {
    const [one, other] = [newHost(), newHost()];
    const [first, second] = [await enlisted(one), await enlisted(other)];
    const { db } = region.deps;
    await db.updateTable('attempts').set({ ended: new Date() }).where('system_id', '=', first).execute();
    const { token } = await commissioning(other, second);
    await say(other, token, 'inventory', inventoryOf([other.mac, one.mac]));
    expect((await state(second)).status).toBe('COMMISSIONING');
    expect([await interfacesOf(first), await interfacesOf(second)]).toEqual([[], [one.mac, other.mac].sort()]);
  });
});

describe('boot tickets', () => {
  /**
   * @fault A boot ticket is presented from another address, or again after its session was used.
   * @sees boot.ticket_reused as evidence of the attempt, with the address it came from.
   * @ends Refused; the machine that has the session works on.
   */
  it('a ticket counts for one address and once', async () => {
    const host = newHost();
    const systemId = await enlisted(host);
    const { token, ticket } = await commissioning(host, systemId);
    const elsewhere = await trade({ ...host, client: '10.77.99.99' }, ticket);
    expect([elsewhere.status, elsewhere.body]).toMatchObject([403, { code: 'boot.ticket_reused' }]);
    expect((await ask(host, token)).kind).toBe('scripts');
    expect((await trade(host, ticket)).body).toMatchObject({ code: 'boot.ticket_reused' });
    expect((await ask(host, token)).kind).toBe('scripts');
    const seen = await region.deps.db
      .selectFrom('evidence')
      .select('text')
      .where('kind', '=', 'boot.ticket_reused')
      .where('attempt_id', '=', (await state(systemId)).attempt?.id ?? -1)
      .execute();
    expect(seen.map(({ text }) => text)).toEqual([
      expect.stringContaining('10.77.99.99'),
      expect.stringContaining(host.client),
    ]);
  });

  /**
   * @fault A ticket or a session is presented after its attempt has ended.
   * @sees boot.ticket_invalid, agent.attempt_over.
   * @ends Refused; what is reported changes nothing.
   */
  it('a ticket and a session end with their attempt', async () => {
    const host = newHost();
    const systemId = await enlisted(host);
    const { token, ticket } = await commissioning(host, systemId);
    await apply(systemId, { type: 'abort', actor: region.admin });
    expect((await trade(host, ticket)).body).toMatchObject({ code: 'boot.ticket_invalid' });
    const late = await say(host, token, 'inventory', inventoryOf([host.mac]));
    expect([late.status, late.body]).toMatchObject([409, { code: 'agent.attempt_over' }]);
    expect(await interfacesOf(systemId)).toEqual([host.mac]);
  });
});

describe('strings that no database keeps', () => {
  const ODD = 'A\0B\ud83dC';
  const disk = { name: 'vda', kname: 'vda', type: 'disk', size: 8e9, ro: false, serial: ODD, model: ODD, vendor: ODD };
  const card = { name: 'ens0', driver: ODD, vendor: ODD, product: ODD, firmware: ODD };
  const changes: Partial<Inventory>[] = [
    { dmi: { system_serial: ODD, system_vendor: ODD, board_asset_tag: ODD, [ODD]: 'x' } },
    { lsblk: JSON.stringify({ blockdevices: [disk] }) },
    { cpuinfo: `processor\t: 0\nmodel name\t: ${ODD}\n` },
    { lshwXml: `<list><node id="${ODD}"/></list>` },
    { lspci: ODD, lldp: ODD, cmdline: ODD, modaliases: [ODD], kernelRelease: ODD },
    { lldp: `<lldp><interface name="ens0"><chassis><name>${ODD}</name></chassis></interface></lldp>` },
    { support: { dmidecode: ODD, lsusb: ODD, dmesg: ODD, serial: ODD }, extra: { storage: ODD, machine: ODD } },
    { diskLinks: { [ODD]: 'vda', 'by-id/x': ODD } },
  ];

  /**
   * @fault The firmware, disks and cards of a machine give names and serials with a NUL or half a character in them.
   * @sees The names without the NUL, U+FFFD for the half character.
   * @ends The inventory is taken; commissioning goes on.
   */
  it('an inventory is taken whatever its strings hold', async () => {
    const host = newHost();
    const systemId = await enlisted(host);
    const { token } = await commissioning(host, systemId);
    const ethernet = inventoryOf([host.mac]).ethernet.map((one) => ({ ...one, ...card }));
    for (const change of [...changes, { ethernet }]) {
      const answer = await say(host, token, 'inventory', { ...inventoryOf([host.mac]), ...change });
      expect(answer, JSON.stringify(change)).toMatchObject({ status: 204 });
    }
    expect(await state(systemId)).toMatchObject({ status: 'COMMISSIONING', attempt: { failure: null } });
    const text = `${ODD} is said`;
    const progress = { kind: 'step', name: ODD, state: 'running', text };
    expect((await say(host, token, 'progress', progress)).status).toBe(204);
    const done = { outcome: 'failed', code: 'install.step_failed', message: text, bmc: null };
    expect((await say(host, token, 'done', done)).status).toBe(200);
    expect(await state(systemId)).toMatchObject({ status: 'FAILED_COMMISSIONING' });
  });
});

describe('scripts', () => {
  const outcome = (over: object) => ({
    status: 'failed',
    exitStatus: 255,
    seconds: 1,
    output: '',
    stdout: '',
    stderr: '',
    result: '',
    ...over,
  });

  /**
   * @fault A commissioning script exits with 255.
   * @sees Failed commissioning with script.failed, the script's exit status and its output.
   * @ends A retry is possible; the machine is switched off.
   */
  it('exit 255 fails the commissioning by name', async () => {
    const host = newHost();
    const systemId = await enlisted(host);
    const { token } = await commissioning(host, systemId);
    const task = await ask(host, token);
    if (task.kind !== 'scripts') throw new Error(`the task is ${task.kind}`);
    const [broken, ...rest] = task.scripts;
    await say(host, token, `results/${broken?.resultId}`, outcome({}));
    for (const { resultId } of rest) {
      await say(host, token, `results/${resultId}`, outcome({ status: 'passed', exitStatus: 0 }));
    }
    await say(host, token, 'done', { outcome: 'failed', code: null, message: null, bmc: null });
    expect(await state(systemId)).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      powerWant: 'off',
      attempt: { failure: { code: 'script.failed', message: expect.stringContaining(broken?.name ?? '?') } },
    });
    await apply(systemId, { type: 'commission', actor: region.admin });
  });

  /**
   * @fault An agent sends a script's output of 5 MiB, or a body of 9 MiB.
   * @sees The output with head and tail and what was left out; 413 input.too_large for the body.
   * @ends At most 1 MiB of each stream is stored; the machine's work goes on.
   */
  it('no output fills the database', async () => {
    const host = newHost();
    const { token } = await commissioning(host, await enlisted(host));
    const task = await ask(host, token);
    if (task.kind !== 'scripts') throw new Error(`the task is ${task.kind}`);
    const resultId = task.scripts[0]?.resultId ?? -1;
    const large = Buffer.concat([Buffer.from('begin'), Buffer.alloc(5 * MIB, 'x'), Buffer.from('end')]);
    const answer = await say(host, token, `results/${resultId}`, outcome({ output: large.toString('base64') }));
    expect(answer.status).toBe(204);
    const row = await region.deps.db
      .selectFrom('script_results')
      .select(['output', 'exit_status'])
      .where('id', '=', resultId)
      .executeTakeFirstOrThrow();
    expect(row.exit_status).toBe(255);
    expect(row.output?.length).toBeLessThanOrEqual(MIB);
    expect(row.output?.toString()).toMatch(/^beginx+\n… \d+ bytes left out …\nx+end$/);
    const huge = await say(host, token, `results/${resultId}`, outcome({ output: 'x'.repeat(9 * MIB) }));
    expect([huge.status, huge.body]).toMatchObject([413, { code: 'input.too_large' }]);
    expect((await ask(host, token)).kind).toBe('scripts');
  });
});

describe('a clock an hour off', () => {
  /**
   * @fault The clock of a deployed machine is an hour off, so its signed requests are old or from the future.
   * @sees Nothing.
   * @ends It is answered; a request that is sent a second time is not.
   */
  it.each([-3600, 3600])('metadata is given to a machine whatever its clock says (%i s)', async (off) => {
    const host = newHost();
    const systemId = await enlisted(host);
    const { db } = region.deps;
    const { id } = await db
      .selectFrom('machines')
      .select('id')
      .where('system_id', '=', systemId)
      .executeTakeFirstOrThrow();
    await db.transaction().execute((trx) => createInstanceToken(trx, region.deps.sealer, id));
    const token = await instanceTokenOf(region.deps, systemId);
    const nonce = randomUUID();
    const read = () =>
      app.inject({
        method: 'GET',
        url: '/MAAS/metadata/2012-03-01/meta-data/instance-id',
        headers: {
          authorization: `OAuth oauth_nonce="${nonce}", oauth_timestamp="${Math.round(Date.now() / 1000 + off)}", oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="${token?.consumerKey}", oauth_token="${token?.tokenKey}", oauth_signature="%26${token?.tokenSecret}"`,
        },
      });
    expect((await read()).body).toBe(systemId);
    expect((await read()).statusCode).toBe(401);
  });
});
