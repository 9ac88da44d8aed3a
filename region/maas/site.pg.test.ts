import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type Answer, type Client, type Dialect, startDialect } from './testing/dialect.ts';
import { addMachine } from './testing/machines.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
let ann: Client;

beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  ann = await dialect.person('ann', false);
}, 60_000);

afterAll(async () => {
  await dialect.close();
  await cluster.close();
});

type Body = Record<string, unknown>;
const body = (answer: Answer): Body => answer.json() as Body;
const list = (answer: Answer): Body[] => answer.json() as Body[];

describe('network', () => {
  test('fabric, VLAN by both paths, space, subnet by specifier, and what they nest', async () => {
    const fabric = body(await admin.post('fabrics/', { name: 'core', class_type: 'fast' }));
    expect(fabric).toMatchObject({
      name: 'core',
      class_type: 'fast',
      vlans: [{ vid: 0, name: 'untagged', space: 'undefined' }],
    });
    const space = body(await admin.post('spaces/', { name: 'dmz' }));
    const vlan = body(
      await admin.post(`fabrics/${fabric.id}/vlans/`, { vid: '20', name: 'twenty', space: 'dmz', mtu: '9000' }),
    );
    expect(vlan).toMatchObject({ vid: 20, fabric: 'core', space: 'dmz', mtu: 9000, relay_vlan: null, dhcp_on: false });
    expect((await admin.get(`vlans/${vlan.id}/`)).json()).toEqual(vlan);
    expect((await admin.get('fabrics/core/vlans/20/')).json()).toEqual(vlan);
    expect(vlan.resource_uri).toBe(`/MAAS/api/2.0/vlans/${vlan.id}/`);
    const created = await admin.post('subnets/', {
      cidr: '10.9.0.0/24',
      vlan: String(vlan.id),
      gateway_ip: '10.9.0.1',
      dns_servers: ['10.9.0.2', '10.9.0.3'],
    });
    const subnet = body(created);
    expect(subnet).toMatchObject({
      name: '10.9.0.0/24',
      cidr: '10.9.0.0/24',
      space: 'dmz',
      gateway_ip: '10.9.0.1',
      dns_servers: ['10.9.0.2', '10.9.0.3'],
      managed: true,
      allow_dns: true,
      rdns_mode: 2,
    });
    for (const specifier of [String(subnet.id), 'cidr:10.9.0.0/24', 'cidr:10.9.0.0%2F24', 'ip:10.9.0.77', 'vlan:20']) {
      expect((await admin.get(`subnets/${specifier}/`)).json()).toEqual(subnet);
    }
    expect(body(await ann.get(`spaces/${space.id}/`))).toMatchObject({
      subnets: [{ id: subnet.id }],
      vlans: [{ id: vlan.id }],
    });
    const twin = await admin.post('subnets/', { cidr: '10.9.0.0/24' });
    expect([twin.status, twin.json()]).toEqual([400, { cidr: ['Subnet with this Cidr already exists.'] }]);
    expect((await admin.post('subnets/', {})).json()).toEqual({ cidr: ['This field is required.'] });
    expect((await admin.remove(`fabrics/${fabric.id}/`)).status).toBe(400);
    const none = await admin.get('subnets/name:none/');
    expect([none.status, none.text]).toEqual([404, 'No Subnet matches the given query.']);
  });

  test('the pseudo space stands for what is in no space, and cannot be changed', async () => {
    const spaces = list(await ann.get('spaces/'));
    expect(spaces.at(-1)).toMatchObject({ id: -1, name: 'undefined', resource_uri: '/MAAS/api/2.0/spaces/undefined/' });
    expect((await ann.get('spaces/undefined/')).status).toBe(200);
    expect((await admin.remove('spaces/undefined/')).status).toBe(400);
  });

  test('ranges: own reserved ones for everybody, no overlap, statistics', async () => {
    const subnet = body(await admin.post('subnets/', { cidr: '10.8.0.0/28', gateway_ip: '10.8.0.1' }));
    const dynamic = await admin.post('ipranges/', { type: 'dynamic', start_ip: '10.8.0.4', end_ip: '10.8.0.7' });
    expect(body(dynamic)).toMatchObject({ type: 'dynamic', user: { username: 'admin' }, subnet: { id: subnet.id } });
    const overlap = await admin.post('ipranges/', { type: 'dynamic', start_ip: '10.8.0.7', end_ip: '10.8.0.9' });
    expect([overlap.status, Object.keys(body(overlap))]).toEqual([400, ['__all__']]);
    const reserved = body(
      await ann.post('ipranges/', { type: 'reserved', start_ip: '10.8.0.9', end_ip: '10.8.0.9', comment: 'mine' }),
    );
    const inside = await ann.post('ipranges/', { type: 'reserved', start_ip: '10.8.0.5', end_ip: '10.8.0.5' });
    expect([inside.status, Object.keys(body(inside))]).toEqual([400, ['__all__']]);
    expect((await ann.remove(`ipranges/${body(dynamic).id}/`)).status).toBe(403);
    expect(body(await ann.put(`ipranges/${reserved.id}/`, { end_ip: '10.8.0.10' }))).toMatchObject({
      end_ip: '10.8.0.10',
      comment: 'mine',
    });
    expect(
      (await ann.post('ipranges/', { type: 'reserved', start_ip: '10.8.0.9', end_ip: '10.8.0.8' })).json(),
    ).toEqual({
      end_ip: ['End IP address must not be less than Start IP address.'],
    });
    // 14 usable: gateway, 4 dynamic, 2 reserved are taken.
    const statistics = await ann.get(`subnets/${subnet.id}/?op=statistics`);
    expect(body(statistics)).toMatchObject({
      num_available: 7,
      num_unavailable: 7,
      total_addresses: 14,
      largest_available: 4,
    });
    expect(statistics.text).toContain('"usage": 0.5,');
    expect((await ann.get(`subnets/${subnet.id}/?op=unreserved_ip_ranges`)).json()).toEqual([
      { start: '10.8.0.2', end: '10.8.0.3', num_addresses: 2 },
      { start: '10.8.0.8', end: '10.8.0.8', num_addresses: 1 },
      { start: '10.8.0.11', end: '10.8.0.14', num_addresses: 4 },
    ]);
    expect(list(await ann.get(`subnets/${subnet.id}/?op=reserved_ip_ranges`))[0]).toEqual({
      start: '10.8.0.1',
      end: '10.8.0.1',
      num_addresses: 1,
      purpose: ['gateway-ip'],
    });
    expect((await admin.remove(`subnets/${subnet.id}/`)).status).toBe(400);
    expect((await admin.remove(`ipranges/${body(dynamic).id}/`)).status).toBe(204);
  });
});

describe('places and tags', () => {
  test('zones and pools: create, rename, default ones stay', async () => {
    expect(body(await admin.post('zones/', { name: 'east', description: 'hall 1' }))).toMatchObject({
      name: 'east',
      resource_uri: '/MAAS/api/2.0/zones/east/',
    });
    expect((await admin.post('zones/', { name: 'east' })).json()).toEqual({
      name: ['Physical zone with this Name already exists.'],
    });
    expect((await admin.post('zones/', {})).json()).toEqual({ name: ['This field is required.'] });
    expect((await admin.remove('zones/default/')).status).toBe(400);
    expect((await admin.remove('zones/never/')).status).toBe(204);
    expect((await admin.remove('zones/east/')).status).toBe(204);
    const pool = body(await admin.post('resourcepools/', { name: 'lab pool' }));
    expect(pool.resource_uri).toBe(`/MAAS/api/2.0/resourcepool/${pool.id}/`);
    const kept = await admin.remove('resourcepool/0/');
    expect([kept.status, kept.text]).toEqual([400, 'This is the default pool, it cannot be deleted.']);
    expect((await admin.get('resourcepool/99/')).text).toBe('No ResourcePool matches the given query.');
  });

  test('a tag shows on its machines at once', async () => {
    const vlan = await dialect.deps.db.selectFrom('vlans').select('id').where('vid', '=', 0).executeTakeFirstOrThrow();
    const subnet = body(await admin.post('subnets/', { cidr: '10.7.0.0/24' }));
    const made = await addMachine(
      dialect.deps,
      { subnetId: Number(subnet.id), vlanId: vlan.id },
      { hostname: 'tagged' },
    );
    expect(body(await admin.post('tags/', { name: 'gpu', comment: 'has one' }))).toEqual({
      name: 'gpu',
      definition: '',
      comment: 'has one',
      kernel_opts: '',
      resource_uri: '/MAAS/api/2.0/tags/gpu/',
    });
    await admin.post('tags/gpu/op-update_nodes', { add: [made.systemId, 'zzzzzz'] });
    expect(body(await ann.get(`machines/${made.systemId}/`)).tag_names).toEqual(['gpu']);
    expect(list(await ann.get('tags/gpu/?op=machines')).map((one) => one.hostname)).toEqual(['tagged']);
    await admin.put('tags/gpu/', { name: 'gpus' });
    expect(body(await ann.get(`machines/${made.systemId}/`)).tag_names).toEqual(['gpus']);
    expect((await admin.remove('tags/gpus/')).status).toBe(204);
    expect(body(await ann.get(`machines/${made.systemId}/`)).tag_names).toEqual([]);
  });
});

describe('settings, users, keys', () => {
  test('get_config gives a bare value; unknown names are a form error', async () => {
    expect((await ann.get('maas/?op=get_config&name=node_timeout')).text).toBe('30');
    expect((await admin.post('maas/?op=set_config', { name: 'node_timeout', value: '45' })).text).toBe('OK');
    expect((await ann.get('maas/?op=get_config&name=node_timeout')).text).toBe('45');
    expect((await admin.post('maas/?op=set_config', { name: 'node_timeout', value: '0' })).status).toBe(400);
    expect((await ann.get('maas/?op=get_config&name=enable_http_proxy')).text).toBe('true');
    await admin.post('maas/?op=set_config', { name: 'enable_disk_erasing_on_release', value: 'True' });
    expect((await ann.get('maas/?op=get_config&name=enable_disk_erasing_on_release')).text).toBe('true');
    expect(Object.keys(body(await ann.get('maas/?op=get_config&name=colour')))).toEqual(['colour']);
    expect((await ann.get('maas/?op=get_config')).text).toBe('No provided name!');
  });

  test('users: create, duplicates are 400, self-deletion is refused', async () => {
    const user = { username: 'carl', email: 'c@example.com', password: 'pw', is_superuser: '0' };
    expect(body(await admin.post('users/', user))).toMatchObject({
      username: 'carl',
      is_superuser: false,
      is_local: true,
    });
    expect((await admin.post('users/', user)).json()).toEqual({
      username: ['A user with that username already exists.'],
    });
    expect((await admin.post('users/', { username: 'd' })).json()).toEqual({
      email: ['This field is required.'],
      password: ['This field is required.'],
      is_superuser: ['This field is required.'],
    });
    expect((await admin.remove('users/admin/')).text).toBe('An administrator cannot self-delete.');
    expect((await admin.remove('users/carl/')).status).toBe(204);
    expect((await ann.get('users/carl/')).text).toBe('No User matches the given query.');
    expect(list(await ann.get('users/')).map((one) => one.username)).toContain('MAAS');
  });

  test('SSH keys: 201, own ones only to delete', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYiBpcyBub3QgYW4gZWQyNTUxOSBrZXkhISEh ann@example';
    const created = await ann.post('account/prefs/sshkeys/', { key });
    expect([created.status, body(created)]).toMatchObject([201, { key, keysource: '' }]);
    expect((await ann.post('account/prefs/sshkeys/', { key })).status).toBe(400);
    expect((await ann.post('account/prefs/sshkeys/', { key: 'nonsense' })).json()).toEqual({
      key: ['Invalid SSH public key.'],
    });
    const path = `account/prefs/sshkeys/${body(created).id}/`;
    expect((await admin.remove(path)).status).toBe(403);
    expect((await ann.remove(path)).status).toBe(204);
  });
});

describe('sessions', () => {
  const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    dialect.app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams(form).toString(),
    });

  test('login, CSRF on writes, logout', async () => {
    const wrong = await post('/MAAS/accounts/login/', { username: 'ann', password: 'x' });
    expect([wrong.statusCode, Object.keys(wrong.json())]).toEqual([400, ['__all__']]);
    const login = await post('/MAAS/accounts/login/', { username: 'ann', password: 'ann-password' });
    expect(login.statusCode).toBe(204);
    const jar = Object.fromEntries(login.cookies.map((cookie) => [cookie.name, cookie.value]));
    const cookie = `sessionid=${jar.sessionid}; csrftoken=${jar.csrftoken}`;
    const who = await dialect.app.inject({ url: '/MAAS/api/2.0/users/?op=whoami', headers: { cookie } });
    expect(who.json()).toMatchObject({ username: 'ann' });
    const write = (headers: Record<string, string>) =>
      post('/MAAS/api/2.0/account/?op=create_authorisation_token', {}, { cookie, ...headers });
    expect((await write({})).statusCode).toBe(403);
    const csrf = await post('/MAAS/account/csrf/', {}, { cookie });
    expect((await write({ 'x-csrftoken': csrf.json().csrf })).statusCode).toBe(200);
    expect((await post('/MAAS/accounts/logout/', {}, { cookie, 'x-csrftoken': jar.csrftoken ?? '' })).statusCode).toBe(
      204,
    );
    const after = await dialect.app.inject({ url: '/MAAS/api/2.0/users/?op=whoami', headers: { cookie } });
    expect(after.statusCode).toBe(401);
  });

  test('authenticate hands out a key that works', async () => {
    const answer = await post('/MAAS/accounts/authenticate/', {
      username: 'ann',
      password: 'ann-password',
      consumer: 'cli',
    });
    expect(Object.keys(answer.json()).sort()).toEqual(['consumer_key', 'name', 'token_key', 'token_secret']);
    expect(answer.json().name).toBe('cli');
    expect((await post('/MAAS/accounts/authenticate/', { username: 'ann', password: 'x' })).statusCode).toBe(403);
    expect((await dialect.app.inject({ url: '/MAAS/accounts/authenticate/' })).statusCode).toBe(405);
  });
});

describe('what is not there is still readable', () => {
  test.each(['devices/', 'static-routes/', 'discovery/', 'rackcontrollers/', 'boot-resources/'])(
    '%s is an empty list',
    async (path) => {
      expect((await admin.get(path)).json()).toEqual([]);
    },
  );

  test('the region itself', async () => {
    expect(list(await admin.get('regioncontrollers/'))).toMatchObject([{ node_type: 3, version: '3.7.3' }]);
    expect((await ann.get('regioncontrollers/')).json()).toEqual([]);
  });
});
