import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readUserData } from '../store/user-data.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type Answer, type Client, type Dialect, startDialect } from './testing/dialect.ts';
import { addMachine, agentSucceeds, type Made, powerWorks, prepareSite } from './testing/machines.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
let ann: Client;
let bob: Client;
let site: { subnetId: number; vlanId: number };

beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  ann = await dialect.person('ann', false);
  bob = await dialect.person('bob', false);
  site = await prepareSite(dialect.deps);
}, 60_000);

afterAll(async () => {
  await dialect.close();
  await cluster.close();
});

type Body = Record<string, unknown>;
const body = (answer: Answer): Body => answer.json() as Body;
const list = (answer: Answer): Body[] => answer.json() as Body[];
const statusName = async (client: Client, systemId: string): Promise<unknown> =>
  body(await client.get(`machines/${systemId}/`)).status_name;

async function readyMachine(hostname: string, over: { cpuCount?: number; memory?: number } = {}): Promise<Made> {
  const made = await addMachine(dialect.deps, site, { hostname, ...over });
  const answer = await admin.post(`machines/${made.systemId}/?op=commission`, { skip_networking: '1' });
  expect([answer.status, body(answer).status_name]).toEqual([200, 'Commissioning']);
  await agentSucceeds(dialect.deps, made.systemId);
  expect(await statusName(admin, made.systemId)).toBe('Ready');
  return made;
}

const FIELDS =
  'system_id hostname fqdn description hardware_uuid domain owner owner_data workload_annotations locked architecture ' +
  'min_hwe_kernel hwe_kernel cpu_count cpu_speed memory swap_size storage bios_boot_method status status_name ' +
  'status_action status_message error_description osystem distro_series ephemeral_deploy netboot power_type power_state ' +
  'tag_names address_ttl ip_addresses boot_interface interface_set boot_disk blockdevice_set physicalblockdevice_set ' +
  'virtualblockdevice_set volume_groups raids bcaches cache_sets special_filesystems zone pool disable_ipv4 node_type ' +
  'node_type_name parent default_gateways current_commissioning_result_id current_testing_result_id ' +
  'current_installation_result_id commissioning_status commissioning_status_name testing_status testing_status_name ' +
  'cpu_test_status cpu_test_status_name memory_test_status memory_test_status_name network_test_status ' +
  'network_test_status_name storage_test_status storage_test_status_name other_test_status other_test_status_name ' +
  'interface_test_status interface_test_status_name hardware_info numanode_set enable_hw_sync last_sync next_sync ' +
  'sync_interval enable_kernel_crash_dump is_dpu resource_uri pod virtualmachine_id';

describe('the body of a machine', () => {
  test('has exactly the fields of MAAS 3.7, with the types strict clients insist on', async () => {
    const made = await addMachine(dialect.deps, site, { hostname: 'fields' });
    const answer = await admin.get(`machines/${made.systemId}/`);
    const machine = body(answer);
    expect(Object.keys(machine).sort()).toEqual(FIELDS.split(' ').sort());
    expect(answer.text).toContain('"storage": 8000.0,');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(machine).toMatchObject({
      hostname: 'fields',
      fqdn: 'fields.maas',
      status: 0,
      status_name: 'New',
      memory: 2048,
      resource_uri: `/MAAS/api/2.0/machines/${made.systemId}/`,
      default_gateways: { ipv4: { gateway_ip: '10.77.0.1', link_id: null }, ipv6: { gateway_ip: null, link_id: null } },
    });
    const [link] = (machine.boot_interface as { links: Body[] }).links;
    // An address that is not assigned is absent, not null: gomaasapi fails on null.
    expect(Object.keys(link ?? {}).sort()).toEqual(['id', 'mode', 'subnet']);
    const device = (machine.blockdevice_set as Body[])[0];
    expect(device).toMatchObject({
      name: 'sda',
      size: 8_000_000_000,
      used_for: 'Unused',
      partitions: [],
      tags: ['ssd'],
    });
  });

  test('list and single read are the same text, and changes of neighbours reach both', async () => {
    const made = await addMachine(dialect.deps, site, { hostname: 'neighbours' });
    const zone = await admin.post('zones/', { name: 'cellar' });
    expect(zone.status).toBe(200);
    expect((await admin.put(`machines/${made.systemId}/`, { zone: 'cellar' })).status).toBe(200);
    await admin.put('zones/cellar/', { name: 'attic' });
    await admin.put(`subnets/${site.subnetId}/`, { name: 'renamed' });
    const single = await admin.get(`machines/${made.systemId}/`);
    expect(body(single)).toMatchObject({ zone: { name: 'attic' } });
    expect(single.text).toContain('"name": "renamed"');
    const many = await admin.get(`machines/?id=${made.systemId}`);
    expect(many.text).toBe(`[\n${single.text}\n]`);
  });

  test('a change during rendering is not lost: reads after a write show it, under many at once', async () => {
    const made = await addMachine(dialect.deps, site, { hostname: 'race' });
    for (let round = 0; round < 8; round++) {
      const description = `round ${round}`;
      const write = admin.put(`machines/${made.systemId}/`, { description });
      const reads = Array.from({ length: 6 }, () => admin.get(`machines/?id=${made.systemId}`));
      await Promise.all([write, ...reads]);
      expect(list(await admin.get(`machines/?id=${made.systemId}`))[0]).toMatchObject({ description });
    }
  });
});

describe('a life', () => {
  test('commission, allocate, deploy with user data, annotate, lock, release', async () => {
    const { systemId } = await readyMachine('alive');
    const machine = body(await admin.get(`machines/${systemId}/`));
    expect(machine).toMatchObject({ commissioning_status: 2, commissioning_status_name: 'Passed', owner: null });

    const allocated = await ann.post('machines/?op=allocate', {
      system_id: systemId,
      agent_name: 'model-1',
      storage: 'root:0,1:2(ssd)',
    });
    expect(allocated.status).toBe(409);
    const taken = await ann.post('machines/?op=allocate', {
      name: 'alive',
      agent_name: 'model-1',
      storage: 'root:8(ssd)',
      interfaces: `nic0:subnet=${site.subnetId}`,
    });
    expect(taken.status).toBe(200);
    const disk = (machine.boot_disk as Body).id;
    const nic = (machine.boot_interface as Body).id;
    expect(body(taken)).toMatchObject({
      status_name: 'Allocated',
      owner: 'ann',
      constraints_by_type: { storage: { root: [disk] }, interfaces: { nic0: [nic] } },
    });
    expect(list(await ann.get('machines/?agent_name=model-1')).map((one) => one.system_id)).toEqual([systemId]);
    expect(list(await ann.get('machines/?op=list_allocated')).map((one) => one.system_id)).toEqual([systemId]);

    const userData = Buffer.from('#cloud-config\n').toString('base64');
    const deploying = await ann.post(`machines/${systemId}/`, {
      op: 'deploy',
      user_data: userData,
      distro_series: 'bookworm',
    });
    expect([deploying.status, body(deploying)]).toMatchObject([
      200,
      { status_name: 'Deploying', osystem: 'debian', distro_series: 'bookworm' },
    ]);
    expect((await readUserData(dialect.deps, systemId))?.toString()).toBe('#cloud-config\n');
    expect((await ann.get(`machines/${systemId}/?op=get_token`)).status).toBe(403);
    expect(body(await admin.get(`machines/${systemId}/?op=get_token`))).toHaveProperty('token_secret');
    await agentSucceeds(dialect.deps, systemId);
    const deployed = body(await ann.get(`machines/${systemId}/`));
    expect(deployed.status_name).toBe('Deployed');
    expect(deployed.ip_addresses).toHaveLength(1);

    const annotated = await ann.post(`machines/${systemId}/?op=set_owner_data`, { 'juju-model-uuid': 'u', role: 'db' });
    expect(body(annotated)).toMatchObject({ owner_data: { 'juju-model-uuid': 'u', role: 'db' } });
    const cleared = await ann.post(`machines/${systemId}/?op=set_workload_annotations`, { role: '' });
    expect(body(cleared).workload_annotations).toEqual({ 'juju-model-uuid': 'u' });
    expect((await admin.post(`machines/${systemId}/?op=set_owner_data`, { a: 'b' })).status).toBe(409);

    expect((await ann.post(`machines/${systemId}/?op=lock`)).status).toBe(200);
    expect((await ann.post(`machines/${systemId}/?op=release`)).status).toBe(403);
    const twice = await ann.post(`machines/${systemId}/?op=lock`);
    expect([twice.status, twice.text]).toEqual([409, 'Machine is already locked']);
    expect((await ann.post(`machines/${systemId}/?op=unlock`)).status).toBe(200);

    const released = await ann.post('machines/?op=release', { machines: [systemId], comment: 'done' });
    expect([released.status, released.json()]).toEqual([200, [systemId]]);
    await powerWorks(dialect.deps, systemId);
    const after = body(await ann.get(`machines/${systemId}/`));
    expect(after).toMatchObject({ status_name: 'Ready', owner: null, owner_data: {}, osystem: '' });
    expect(list(await ann.get('machines/?agent_name=model-1'))).toEqual([]);
  });

  test('results of the commissioning, with outputs when asked', async () => {
    const { systemId } = await readyMachine('results');
    const sets = list(await ann.get(`nodes/${systemId}/results/?type=commissioning`));
    expect(sets).toHaveLength(1);
    expect(sets[0]).toMatchObject({ type_name: 'Commissioning', status: 2, status_name: 'Passed' });
    const plain = body(await ann.get(`nodes/${systemId}/results/current-commissioning/`));
    expect((plain.results as Body[])[0]).not.toHaveProperty('stdout');
    const full = body(await ann.get(`nodes/${systemId}/results/${plain.id}/?include_output=1&filters=maas-lshw`));
    expect(full.results).toMatchObject([
      { name: 'maas-lshw', stdout: Buffer.from('out').toString('base64'), status: 2 },
    ]);
    const details = await dialect.app.inject({ url: `/MAAS/api/2.0/machines/${systemId}/?op=details` });
    expect(details.statusCode).toBe(401);
    expect((await ann.get(`machines/${systemId}/?op=details`)).headers['content-type']).toBe('application/bson');
  });

  test('events of the machine, newest first, in pages', async () => {
    const { systemId } = await readyMachine('events');
    const page = body(await admin.get(`events/?op=query&id=${systemId}&level=DEBUG&limit=2`));
    const events = page.events as Body[];
    expect(page.count).toBe(2);
    expect(Number(events[0]?.id)).toBeGreaterThan(Number(events[1]?.id));
    expect(String(events[0]?.created)).toMatch(/^\w{3}, \d{2} \w{3}\. \d{4} \d{2}:\d{2}:\d{2}$/);
    const older = body(await admin.get(String(page.prev_uri)));
    expect(Number((older.events as Body[])[0]?.id)).toBeLessThan(Number(events[1]?.id));
  });
});

describe('what is refused, in the words clients know', () => {
  test('unknown machine', async () => {
    const answer = await admin.get('machines/zzzzzz/');
    expect([answer.status, answer.text]).toEqual([404, 'No Machine matches the given query.']);
    expect((await admin.post('machines/zzzzzz/?op=deploy')).status).toBe(404);
  });

  test('wrong states', async () => {
    const { systemId } = await addMachine(dialect.deps, site, { hostname: 'wrong' });
    const deploy = await admin.post(`machines/${systemId}/?op=deploy`);
    expect([deploy.status, deploy.text]).toEqual([409, "Can't deploy a machine that is in the 'New' state"]);
    expect(deploy.headers['retry-after']).toBeUndefined();
    const many = await admin.post('machines/?op=release', { machines: systemId });
    expect([many.status, many.text]).toEqual([
      409,
      `Machine(s) cannot be released in their current state: ${systemId} ('New').`,
    ]);
    const one = await admin.post(`machines/${systemId}/?op=release`);
    expect([one.status, one.text]).toEqual([409, "Machine cannot be released in its current state ('New')."]);
    const lock = await admin.post(`machines/${systemId}/?op=lock`);
    expect([lock.status, lock.text]).toEqual([409, "Can't lock, node is not deployed or deploying"]);
    const on = await admin.post(`machines/${systemId}/?op=power_on`);
    expect([on.status, on.text]).toEqual([409, "Can't start node: it hasn't been allocated."]);
    await admin.post(`machines/${systemId}/?op=commission`);
    const again = await admin.post(`machines/${systemId}/?op=commission`);
    expect([again.status, again.json()]).toEqual([
      400,
      { __all__: ['Commission is not available because of the current state of the node.'] },
    ]);
    const aborted = await admin.post(`machines/${systemId}/?op=abort`);
    expect([aborted.status, body(aborted).status_name]).toEqual([200, 'New']);
  });

  test('allocate: nothing available, unknown names, malformed constraints', async () => {
    const nothing = await ann.post('machines/?op=allocate', { mem: '9999999' });
    expect([nothing.status, nothing.text]).toEqual([
      409,
      "No available machine matches constraints: [('mem', ['9999999'])] (resolved to \"mem=9999999.0\")",
    ]);
    const id = await ann.post('machines/?op=allocate', { system_id: 'zzzzzz' });
    expect(id.text).toBe('No machine with system ID zzzzzz available.');
    const bad = await ann.post('machines/?op=allocate', { colour: 'red', storage: 'x(y', zone: 'moon' });
    expect([bad.status, bad.json()]).toEqual([
      400,
      {
        colour: ['No such constraint.'],
        storage: ['Malformed storage constraint, "x(y".'],
        zone: ['No such zone(s): moon.'],
      },
    ]);
  });

  test('release of unknown and of foreign machines', async () => {
    const unknown = await ann.post('machines/?op=release', { machines: ['aaaaaa', 'bbbbbb'] });
    expect([unknown.status, unknown.text]).toEqual([400, 'Unknown machine(s): aaaaaa, bbbbbb.']);
  });

  test('list filters: unknown name and unknown zone are errors, unknown hostname is an empty list', async () => {
    expect((await ann.get('machines/?fqdn=x')).json()).toEqual({ fqdn: ['No such constraint.'] });
    expect((await ann.get('machines/?zone=moon')).json()).toEqual({ zone: ['No such zone(s): moon.'] });
    expect((await ann.get('machines/?hostname=nobody')).json()).toEqual([]);
    expect((await ann.get('machines/?mac_address=xyz')).json()).toEqual({
      mac_address: ["'xyz' is not a valid MAC address."],
    });
    const names = list(await admin.get('machines/?hostname=alive&hostname=results&status=ready')).map(
      (one) => one.hostname,
    );
    expect(names).toEqual(['alive', 'results']);
  });
});

describe('allocation', () => {
  async function newPool(name: string): Promise<number> {
    return body(await admin.post('resourcepools/', { name })).id as number;
  }

  test('the smallest machine that fits, dry_run changes nothing, concurrent callers get different machines', async () => {
    const tag = 'contest';
    await admin.post('tags/', { name: tag });
    const machines = [
      await readyMachine('big', { cpuCount: 16, memory: 65_536 }),
      await readyMachine('small', { cpuCount: 1, memory: 1024 }),
      await readyMachine('middle', { cpuCount: 4, memory: 4096 }),
    ];
    const tagged = await admin.post(`tags/${tag}/?op=update_nodes`, { add: machines.map((made) => made.systemId) });
    expect(tagged.json()).toEqual({ added: 3, removed: 0 });
    const dry = body(await ann.post('machines/?op=allocate', { tags: tag, dry_run: 'true', verbose: 'true' }));
    expect(dry).toMatchObject({ hostname: 'small', status_name: 'Ready', tag_names: [tag] });
    expect(dry.constraints_by_type).toEqual({ verbose_storage: {}, verbose_interfaces: {} });
    const answers = await Promise.all(
      [ann, bob, ann].map((client) => client.post('machines/?op=allocate', { tags: tag })),
    );
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map((answer) => body(answer).hostname))).toEqual(new Set(['big', 'small', 'middle']));
    expect((await bob.post('machines/?op=allocate', { tags: tag })).status).toBe(409);
  });

  test('of a pool that is asked for: its machines only, also those that came into it and under its new name', async () => {
    await newPool('left');
    const right = await newPool('right');
    const [small, big] = [await readyMachine('pool-small'), await readyMachine('pool-big', { cpuCount: 8 })];
    const put = async ({ systemId }: Made, pool: string) =>
      expect((await admin.put(`machines/${systemId}/`, { pool })).status).toBe(200);
    const taken = async (pool: string | string[]) => {
      const answer = await ann.post('machines/?op=allocate', { pool });
      return answer.status === 200 ? body(answer).hostname : answer.status;
    };
    await put(small, 'left');
    await put(big, 'right');
    expect(await taken('right')).toBe('pool-big');
    expect(await taken('right')).toBe(409);
    await put(small, 'right');
    expect(await taken('left')).toBe(409);
    expect((await admin.put(`resourcepool/${right}/`, { name: 'renamed' })).status).toBe(200);
    expect(await taken('renamed')).toBe('pool-small');
    const [one, two] = [await readyMachine('pool-one'), await readyMachine('pool-two', { cpuCount: 8 })];
    await put(one, 'renamed');
    await put(two, 'left');
    expect([await taken(['left', 'renamed']), await taken(['left', 'renamed'])]).toEqual(['pool-one', 'pool-two']);
  });
});

describe('who may do what', () => {
  let owned: Made;
  beforeAll(async () => {
    owned = await readyMachine('anns');
    expect((await ann.post('machines/?op=allocate', { name: 'anns' })).status).toBe(200);
  });

  const OPERATIONS = [
    'deploy',
    'release',
    'abort',
    'power_on',
    'power_off',
    'mark_broken',
    'set_owner_data',
    'lock',
    'unlock',
  ];
  test.each(OPERATIONS)("a user may not %s another's machine", async (op) => {
    expect((await bob.post(`machines/${owned.systemId}/?op=${op}`, { a: 'b' })).status).toBe(403);
    expect(await statusName(ann, owned.systemId)).toBe('Allocated');
  });

  test("a user does not see another's machine, in no way", async () => {
    expect((await bob.get(`machines/${owned.systemId}/`)).status).toBe(403);
    for (const path of ['interfaces/', 'blockdevices/', 'results/', '']) {
      expect((await bob.get(`nodes/${owned.systemId}/${path}`)).status).toBe(403);
    }
    for (const path of ['machines/', `machines/?id=${owned.systemId}`, 'nodes/', 'machines/?owner=ann']) {
      expect((await bob.get(path)).text).not.toContain(owned.systemId);
    }
    expect((await bob.get(`events/?op=query&id=${owned.systemId}&level=DEBUG`)).text).not.toContain('anns');
    const release = await bob.post('machines/?op=release', { machines: owned.systemId });
    expect([release.status, release.text]).toEqual([
      403,
      `You don't have the required permission to release the following machine(s): ${owned.systemId}.`,
    ]);
    expect(list(await ann.get('machines/')).map((one) => one.system_id)).toContain(owned.systemId);
    expect(list(await admin.get('machines/')).map((one) => one.system_id)).toContain(owned.systemId);
  });

  const ADMINISTRATION = [
    'commission',
    'test',
    'rescue_mode',
    'exit_rescue_mode',
    'mark_fixed',
    'override_failed_testing',
  ];
  test.each(ADMINISTRATION)('an owner who is no administrator may not %s', async (op) => {
    expect((await ann.post(`machines/${owned.systemId}/?op=${op}`)).status).toBe(403);
  });

  test('site administration is for administrators', async () => {
    const calls = [
      ann.put(`machines/${owned.systemId}/`, { hostname: 'x' }),
      ann.remove(`machines/${owned.systemId}/`),
      ann.get(`machines/${owned.systemId}/?op=power_parameters`),
      ann.get('machines/?op=power_parameters'),
      ann.post('machines/?op=accept', { machines: owned.systemId }),
      ann.post('tags/', { name: 't' }),
      ann.post('zones/', { name: 'z' }),
      ann.post('resourcepools/', { name: 'p' }),
      ann.post('fabrics/', { name: 'f' }),
      ann.post('subnets/', { cidr: '10.1.0.0/24' }),
      ann.put(`vlans/${site.vlanId}/`, { mtu: '9000' }),
      ann.post('users/', { username: 'u', email: 'e', password: 'p', is_superuser: '1' }),
      ann.post('maas/?op=set_config', { name: 'node_timeout', value: '5' }),
      ann.post('ipranges/', { type: 'dynamic', start_ip: '10.77.0.100', end_ip: '10.77.0.110' }),
    ];
    expect((await Promise.all(calls)).map((answer) => answer.status)).toEqual(calls.map(() => 403));
    expect((await ann.get('rackcontrollers/')).json()).toEqual([]);
  });

  test('anonymous callers: registered or not, nothing else', async () => {
    expect((await dialect.anonymous.get('machines/?op=is_registered&mac_address=00:00:00:00:00:01')).json()).toBe(
      false,
    );
    const listing = await dialect.anonymous.get('machines/');
    expect([listing.status, listing.text]).toEqual([400, 'Unrecognised signature: method=GET op=None']);
    expect((await dialect.anonymous.remove('machines/')).status).toBe(401);
    expect((await dialect.anonymous.post('machines/', { mac_addresses: '52:54:00:00:00:01' })).status).toBe(403);
  });
});

describe('machines by hand', () => {
  test('create, change, read power parameters, delete', async () => {
    const created = await admin.post('machines/', {
      hostname: 'by-hand',
      architecture: 'amd64',
      mac_addresses: ['52-54-00-AA-BB-01', '52:54:00:aa:bb:02'],
      power_type: 'ipmi',
      power_parameters: '{"power_address": "10.0.0.5", "power_pass": "hidden"}',
      power_parameters_power_user: 'maas',
      commission: 'false',
    });
    expect(created.status).toBe(200);
    const machine = body(created);
    expect(machine).toMatchObject({ status_name: 'New', architecture: 'amd64/generic', power_type: 'ipmi' });
    expect((machine.interface_set as Body[]).map((nic) => nic.mac_address)).toEqual([
      '52:54:00:aa:bb:01',
      '52:54:00:aa:bb:02',
    ]);
    expect(created.text).not.toContain('hidden');
    const path = `machines/${machine.system_id}/`;
    const changed = await admin.put(path, {
      description: 'a note',
      pool: 'default',
      power_parameters_power_user: 'root',
    });
    expect([changed.status, body(changed).description]).toEqual([200, 'a note']);
    expect((await admin.get(`${path}?op=power_parameters`)).json()).toEqual({
      power_address: '10.0.0.5',
      power_pass: 'hidden',
      power_user: 'root',
    });
    const twin = await admin.post('machines/', { architecture: 'amd64/generic', mac_addresses: '52:54:00:aa:bb:01' });
    expect([twin.status, twin.json()]).toEqual([
      400,
      { mac_addresses: ['MAC address 52:54:00:aa:bb:01 already in use on by-hand.'] },
    ]);
    const removed = await admin.remove(path);
    expect([removed.status, removed.text]).toEqual([204, '']);
    expect((await admin.get(path)).status).toBe(404);
  });

  test('missing fields, all at once', async () => {
    const answer = await admin.post('machines/', { hostname: 'x' });
    expect([answer.status, answer.json()]).toEqual([
      400,
      { mac_addresses: ['This field is required.'], architecture: ['This field is required.'] },
    ]);
  });
});

describe('orders that are odd, or go wrong in part', () => {
  test('testing_scripts=none leaves the tests out', async () => {
    const { systemId } = await addMachine(dialect.deps, site, { hostname: 'untested' });
    const order = { testing_scripts: 'none', skip_networking: '1' };
    const answer = body(await admin.post(`machines/${systemId}/?op=commission`, order));
    expect(answer).toMatchObject({ status_name: 'Commissioning', current_testing_result_id: null });
  });

  test('accept_all starts whoever can be started, whatever stands before', async () => {
    const { db } = dialect.deps;
    const made = [];
    for (const hostname of ['first', 'unreachable', 'last']) {
      made.push(await addMachine(dialect.deps, site, { hostname }));
    }
    await db.updateTable('machines').set({ power_type: '' }).where('hostname', '=', 'unreachable').execute();
    const accepted = list(await admin.post('machines/?op=accept_all')).map(({ hostname }) => hostname);
    expect(accepted).toEqual(expect.arrayContaining(['first', 'last']));
    expect(accepted).not.toContain('unreachable');
    const names = [];
    for (const { systemId } of made) names.push(await statusName(admin, systemId));
    expect(names).toEqual(['Commissioning', 'New', 'Commissioning']);
  });

  test('a machine whose order is refused is not made: the same order, mended, is taken', async () => {
    const order = { mac_addresses: '52:54:00:0a:0b:0c', architecture: 'amd64', hostname: 'mended.maas' };
    const refused = [
      await admin.post('machines/', { ...order, commission: 'maybe' }),
      await admin.post('machines/', { ...order, commissioning_scripts: 'nosuch' }),
      await admin.post('machines/', { ...order, architecture: 'vax' }),
      await admin.post('machines/', { ...order, hostname: 'mended.nowhere' }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect(body(refused[3] as Answer)).toEqual({ hostname: ['Nonexistant domain.'] });
    const answer = await admin.post('machines/', { ...order, commission: 'false' });
    expect([answer.status, body(answer)]).toMatchObject([200, { fqdn: 'mended.maas', architecture: 'amd64/generic' }]);
  });

  test('whoever has no power type cannot be switched off, and null says so', async () => {
    const { systemId } = await addMachine(dialect.deps, site, { hostname: 'powerless' });
    await dialect.deps.db.updateTable('machines').set({ power_type: '' }).where('system_id', '=', systemId).execute();
    const answer = await admin.post(`machines/${systemId}/?op=power_off`);
    expect([answer.status, answer.text]).toEqual([200, 'null']);
  });
});
