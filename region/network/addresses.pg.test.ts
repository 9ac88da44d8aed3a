import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { claimAddresses, releaseAddresses } from './auto-addresses.ts';
import { registerRackInterfaces } from './learn.ts';
import { recordLeases } from './leases.ts';
import { rackSnapshot } from './rack-snapshot.ts';
import { serve } from './serve.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  region = await testRegion(cluster);
  return () => region.close();
});

async function linked(subnetId: number) {
  const machine = await region.machine();
  const card = await region.deps.db
    .selectFrom('interfaces')
    .selectAll()
    .where('machine_id', '=', machine.id)
    .executeTakeFirstOrThrow();
  await region.deps.db
    .insertInto('interface_links')
    .values({ interface_id: card.id, mode: 'auto', subnet_id: subnetId })
    .execute();
  return { ...machine, mac: card.mac ?? '' };
}

const claim = (id: number) => region.deps.db.transaction().execute((trx) => claimAddresses(trx, id));

async function addresses() {
  const rows = await region.deps.db
    .selectFrom('address_spans')
    .select('span')
    .where('kind', '=', 'auto')
    .orderBy('span')
    .execute();
  return rows.map((row) => row.span);
}

test("a new rack's network becomes fabric, VLAN and subnet with DHCP off; serving it leaves the lower half for machines", async () => {
  const rack = await region.rack();
  const interfaces = [{ name: 'br0', mac: '52:54:00:ff:00:01', addresses: ['10.77.0.1/24', 'fe80::1/64'], up: true }];
  await region.deps.db
    .updateTable('racks')
    .set({ interfaces: JSON.stringify(interfaces) })
    .execute();
  await registerRackInterfaces(region.deps, rack, interfaces);
  const learnt = await rackSnapshot(region.deps);
  expect(learnt.vlans).toMatchObject([{ dhcp: 'off', subnets: [{ cidr: '10.77.0.0/24', pools: [] }] }]);
  const served = await serve(region.deps, { cidr: '10.77.0.0/24', gateway: '10.77.0.1' });
  expect(served).toMatchObject({ rack, range: { start: '10.77.0.128', end: '10.77.0.254' } });
  expect(await serve(region.deps, { cidr: '10.77.0.0/24' })).toEqual(served);
  const snapshot = await rackSnapshot(region.deps);
  expect(snapshot.version).toBeGreaterThan(learnt.version);
  expect(snapshot.vlans[0]).toMatchObject({ dhcp: 'on', subnets: [{ gateway: '10.77.0.1' }] });
});

test('serve refuses what is no network, half a range, and a range over given addresses', async () => {
  await expect(serve(region.deps, { cidr: '10.0.0.1/24' })).rejects.toMatchObject({ field: 'cidr' });
  await expect(serve(region.deps, { cidr: '10.0.0.0/24', start: '10.0.0.9' })).rejects.toMatchObject({
    field: 'start',
  });
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/24', start: '10.0.0.100', end: '10.0.0.200' });
  const machine = await linked(subnetId);
  await claim(machine.id);
  const again = serve(region.deps, { cidr: '10.0.0.0/24', start: '10.0.0.1', end: '10.0.0.210' });
  await expect(again).rejects.toMatchObject({ code: 'network.range_conflict' });
});

test('machines that claim at the same moment get different addresses, the lowest of the smallest free run', async () => {
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/24', start: '10.0.0.200', end: '10.0.0.250' });
  const machines = [];
  for (let index = 0; index < 8; index += 1) machines.push(await linked(subnetId));
  await Promise.all(machines.map((machine) => claim(machine.id)));
  // 251–254 is the smaller run, and is used up first.
  expect(await addresses()).toEqual(
    ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.251', '10.0.0.252', '10.0.0.253', '10.0.0.254'].map(
      (ip) => `[${ip},${ip}]`,
    ),
  );
  const [first] = machines;
  if (!first) throw new Error('no machine');
  const snapshot = await rackSnapshot(region.deps);
  const reservations = snapshot.vlans.flatMap((vlan) => vlan.subnets.flatMap((subnet) => subnet.reservations));
  expect(reservations).toHaveLength(8);
  expect(reservations.find((entry) => entry.mac === first.mac)).toMatchObject({ hostname: first.hostname });
  await region.deps.db.transaction().execute((trx) => releaseAddresses(trx, first.id));
  expect(await addresses()).toHaveLength(7);
});

test('a full subnet refuses with the text that clients know', async () => {
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/29', start: '10.0.0.2', end: '10.0.0.6' });
  await claim((await linked(subnetId)).id);
  await expect(claim((await linked(subnetId)).id)).rejects.toThrow('No more IPs available in subnet: 10.0.0.0/29.');
});

test('the database itself refuses two given addresses that overlap', async () => {
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/24' });
  const values = { subnet_id: subnetId, span: '[10.0.0.5,10.0.0.5]', kind: 'auto' };
  await region.deps.db.insertInto('address_spans').values(values).execute();
  const again = region.deps.db
    .insertInto('address_spans')
    .values({ ...values, kind: 'sticky' })
    .execute();
  await expect(again).rejects.toMatchObject({ code: '23P01' });
});

test("a lease becomes the machine's discovered address, and the next one replaces it", async () => {
  const rack = await region.rack();
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/24' });
  const machine = await linked(subnetId);
  const lease = { mac: machine.mac.toUpperCase(), hostname: '', subnetId, expiresInSeconds: 600 };
  await recordLeases(region.deps, rack, [{ ...lease, ip: '10.0.0.150' }]);
  await recordLeases(region.deps, rack, [{ ...lease, ip: '10.0.0.151' }]);
  const seen = await region.deps.db
    .selectFrom('address_spans')
    .select('span')
    .where('kind', '=', 'discovered')
    .execute();
  expect(seen).toEqual([{ span: '[10.0.0.151,10.0.0.151]' }]);
  const card = await region.deps.db.selectFrom('interfaces').select('vlan_id').executeTakeFirstOrThrow();
  expect(card.vlan_id).not.toBeNull();
});

test('a ticket is possible only while an attempt is open and the machine is meant to be on', async () => {
  await region.rack();
  await region.ephemeralImage();
  const machine = await region.machine();
  const entry = async () => (await rackSnapshot(region.deps)).machines.find((one) => one.systemId === machine.systemId);
  expect(await entry()).toMatchObject({ target: 'ephemeral', attempt: null });
  await region.deps.door.apply(machine.systemId, { type: 'commission', actor: region.admin });
  expect(await entry()).toMatchObject({ target: 'ephemeral', attempt: expect.any(Number) });
  await region.deps.door.apply(machine.systemId, { type: 'abort', actor: region.admin });
  expect(await entry()).toMatchObject({ attempt: null });
});
