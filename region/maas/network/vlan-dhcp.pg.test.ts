import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordDhcp } from '../../network/dhcp-report.ts';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { type Answer, type Client, type Dialect, startDialect } from '../testing/dialect.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  const racks = ['rack01', 'rack02'].map((id) => ({ system_id: id, name: `name-${id}`, public_key: '' }));
  await dialect.deps.db.insertInto('racks').values(racks).execute();
}, 60_000);
afterAll(async () => {
  await dialect.close();
  await cluster.close();
});

type Body = Record<string, unknown>;
const body = (answer: Answer): Body => answer.json() as Body;
async function vlan(vid: number): Promise<Body> {
  return body(await admin.post('fabrics/0/vlans/', { vid: String(vid) }));
}
const put = (target: Body, fields: Record<string, string>) => admin.put(`vlans/${target.id}/`, fields);

it('DHCP needs a rack and a range; a relay and DHCP exclude each other; external_dhcp is what racks heard', async () => {
  const near = await vlan(10);
  const refused = await put(near, { dhcp_on: 'true' });
  expect([refused.status, body(refused)]).toEqual([
    400,
    {
      dhcp_on: [
        'dhcp can only be turned on when a primary rack controller is set.',
        'dhcp can only be turned on when a dynamic IP range is defined.',
      ],
    },
  ]);
  const subnet = body(await admin.post('subnets/', { cidr: '10.70.0.0/24', vlan: String(near.id) }));
  await admin.post('ipranges/', { type: 'dynamic', start_ip: '10.70.0.100', end_ip: '10.70.0.120' });
  const far = await vlan(20);
  const relayed = await put(far, { relay_vlan: String(near.id) });
  expect(body(relayed)).toMatchObject({ dhcp_on: false, relay_vlan: { id: near.id, vid: 10, relay_vlan: null } });
  expect((await put(near, { relay_vlan: String(far.id) })).status).toBe(400);
  expect((await put(near, { relay_vlan: String(near.id) })).status).toBe(400);
  await dialect.deps.db.updateTable('vlans').set({ dhcp_proxy: true }).where('id', '=', Number(near.id)).execute();
  expect(body(await put(near, { dhcp_on: 'true', primary_rack: 'name-rack01' }))).toMatchObject({
    dhcp_on: true,
    primary_rack: 'rack01',
    secondary_rack: null,
    relay_vlan: null,
    external_dhcp: null,
  });
  const third = await vlan(30);
  const both = await put(near, { relay_vlan: String(third.id) });
  expect([both.status, Object.keys(body(both))]).toEqual([400, ['relay_vlan']]);
  const servers = [{ address: '10.70.0.66', mac: '02:66:66:00:00:01' }];
  await recordDhcp(dialect.deps, 'rack01', { foreign: [{ vlanId: Number(near.id), servers }], pools: [] });
  expect(body(await admin.get(`vlans/${near.id}/`)).external_dhcp).toBe('10.70.0.66');
  expect(body(await admin.get(`subnets/${subnet.id}/`)).vlan).toMatchObject({ external_dhcp: '10.70.0.66' });
});

it('the second rack is another one, and takes the place of a first that is taken away', async () => {
  const target = await vlan(40);
  await put(target, { primary_rack: 'rack01' });
  const same = await put(target, { secondary_rack: 'rack01' });
  expect([same.status, Object.keys(body(same))]).toEqual([400, ['secondary_rack']]);
  expect(body(await put(target, { secondary_rack: 'rack02' }))).toMatchObject({ secondary_rack: 'rack02' });
  expect(body(await put(target, { primary_rack: '' }))).toMatchObject({
    primary_rack: 'rack02',
    secondary_rack: null,
  });
});
