import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { subnetsOf } from '../api/read/subnets.ts';
import { noteHello } from '../racklink/rack-rows.ts';
import { writeSettings } from '../store/settings.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { recordDhcp } from './dhcp-report.ts';
import { registerRackInterfaces } from './learn.ts';
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

async function rackAt(id: string, address: string, certificate: string | null = null): Promise<string> {
  await region.rack(id);
  const interfaces = [{ name: 'eth0', mac: '02:00:00:00:00:01', addresses: [address], up: true }];
  await region.deps.db
    .updateTable('racks')
    .set({ interfaces: JSON.stringify(interfaces), certificate })
    .where('system_id', '=', id)
    .execute();
  return id;
}
const events = async () =>
  await region.deps.db.selectFrom('events').select(['type', 'system_id', 'description']).orderBy('id').execute();
const subnetView = async (cidr: string) => (await subnetsOf(region.deps.db)).find((one) => one.cidr === cidr);

it('what UEFI machines boot is a setting that goes to the racks', async () => {
  expect((await rackSnapshot(region.deps)).uefiBootChain).toBe('ipxe');
  await writeSettings(region.deps.db, { uefi_boot_chain: 'signed' });
  expect((await rackSnapshot(region.deps)).uefiBootChain).toBe('signed');
  await expect(writeSettings(region.deps.db, { uefi_boot_chain: 'lilo' })).rejects.toThrow();
});

describe('the mode of a network', () => {
  it('goes to the racks and is seen in the list; proxy and off need no range', async () => {
    const rack = await rackAt('rack01', '10.1.0.1/24');
    expect(await serve(region.deps, { cidr: '10.1.0.0/24', mode: 'proxy' })).toMatchObject({ range: null, rack });
    expect((await rackSnapshot(region.deps)).vlans).toMatchObject([
      { dhcp: 'proxy', racks: [rack], subnets: [{ pools: [] }] },
    ]);
    expect(await subnetView('10.1.0.0/24')).toMatchObject({ mode: 'proxy', dhcp: false });
    await serve(region.deps, { cidr: '10.1.0.0/24' });
    expect(await subnetView('10.1.0.0/24')).toMatchObject({ mode: 'on', dhcp: true, primaryRack: rack });
    await serve(region.deps, { cidr: '10.1.0.0/24', mode: 'off' });
    expect((await rackSnapshot(region.deps)).vlans).toMatchObject([{ dhcp: 'off' }]);
    const withRange = serve(region.deps, { cidr: '10.1.0.0/24', mode: 'proxy', start: '10.1.0.9', end: '10.1.0.20' });
    await expect(withRange).rejects.toMatchObject({ code: 'network.invalid', field: 'start' });
  });

  it('relays to a network that is served, and refuses any other', async () => {
    await rackAt('rack01', '10.1.0.1/24');
    const near = await serve(region.deps, { cidr: '10.1.0.0/24' });
    const relay = (via?: string) => serve(region.deps, { cidr: '10.2.0.0/24', mode: 'relay', via });
    for (const via of [undefined, 'nonsense', '10.9.0.0/24', '10.2.0.0/24']) {
      await expect(relay(via)).rejects.toMatchObject({ code: 'network.no_relay', field: 'via' });
    }
    expect(await relay('10.1.0.0/24')).toMatchObject({ range: { start: '10.2.0.128', end: '10.2.0.254' } });
    const [, far] = (await rackSnapshot(region.deps)).vlans;
    expect(far).toMatchObject({ dhcp: 'relay', relayVlan: near.vlanId });
    expect(await subnetView('10.2.0.0/24')).toMatchObject({ mode: 'relay', relay: '10.1.0.0/24' });
    const again = serve(region.deps, { cidr: '10.3.0.0/24', mode: 'relay', via: '10.2.0.0/24' });
    await expect(again).rejects.toMatchObject({ code: 'network.no_relay' });
  });
});

describe('two racks', () => {
  it('are peers once both stand there and have told their certificates; losing the first promotes the second', async () => {
    const first = await rackAt('rack01', '10.1.0.1/24', 'CERT 1');
    const second = await rackAt('rack02', '10.1.0.2/24');
    await rackAt('rack03', '10.9.0.2/24');
    const secondary = (name: string) => serve(region.deps, { cidr: '10.1.0.0/24', secondary: name });
    for (const name of ['rack03', 'nobody', first]) {
      await expect(secondary(name)).rejects.toMatchObject({ code: 'network.no_rack', field: 'secondary' });
    }
    expect(await secondary(second)).toMatchObject({ rack: first, secondary: second });
    const [alone] = (await rackSnapshot(region.deps)).vlans;
    expect(alone).toMatchObject({ racks: [first, second] });
    expect(alone?.peers).toBeUndefined();
    const interfaces = [{ name: 'eth0', mac: '02:00:00:00:00:02', addresses: ['10.1.0.2/24'], up: true }];
    const hello = { type: 'hello' as const, protocols: [1], rack: second, name: second, version: '1', interfaces };
    const changes = async () => (await region.deps.db.selectFrom('changes').selectAll().execute()).length;
    const before = await changes();
    for (const again of [1, 2]) {
      await noteHello(region.deps.db, { ...hello, snapshotVersion: again, certificate: 'CERT 2' });
    }
    // The other rack is told once.
    expect(await changes()).toBe(before + 1);
    expect((await rackSnapshot(region.deps)).vlans[0]?.peers).toEqual([
      { rack: first, role: 'primary', address: '10.1.0.1', certificate: 'CERT 1' },
      { rack: second, role: 'standby', address: '10.1.0.2', certificate: 'CERT 2' },
    ]);
    const without = await serve(region.deps, { cidr: '10.1.0.0/24', primary: 'none' });
    expect(without).toMatchObject({ rack: second, secondary: null });
  });
});

it('a host that is set up anew under another id takes the place of its former self, another host does not', async () => {
  const old = await rackAt('rack01', '10.1.0.1/24');
  await serve(region.deps, { cidr: '10.1.0.0/24' });
  const arrive = async (id: string, address: string) => {
    await rackAt(id, address);
    const interfaces = [{ name: 'eth0', mac: '02:00:00:00:00:01', addresses: [address], up: true }];
    await registerRackInterfaces(region.deps, id, interfaces);
    return (await subnetView('10.1.0.0/24'))?.primaryRack;
  };
  expect(await arrive('rack02', '10.1.0.2/24')).toBe(old);
  expect(await arrive('rack03', '10.1.0.1/24')).toBe('rack03');
  await region.deps.db.updateTable('vlans').set({ primary_rack: 'forgotten' }).execute();
  expect(await arrive('rack02', '10.1.0.2/24')).toBe('rack02');
});

describe('what racks report', () => {
  /**
   * @fault a foreign DHCP server answers in a network that Ingot serves
   * @sees a warning `network.foreign_dhcp` with address and MAC in `ingot doctor`, `ingot network list`, an event of the rack, external_dhcp of the VLAN
   * @ends when the server is silent at the next probe, or the network is put into proxy mode, where that server is wanted
   */
  it('a foreign DHCP server is named once, shown while it is heard, and forgotten', async () => {
    const rack = await rackAt('rack01', '10.1.0.1/24');
    const { vlanId } = await serve(region.deps, { cidr: '10.1.0.0/24' });
    const heard = async (...addresses: string[]) => {
      const servers = addresses.map((address) => ({ address, mac: '02:66:66:00:00:01' }));
      await recordDhcp(region.deps, rack, { foreign: [{ vlanId, servers }], pools: [] });
    };
    await rackAt('rack02', '10.1.0.2/24');
    await heard('10.1.0.66', '10.1.0.2');
    await heard('10.1.0.66');
    const view = await subnetView('10.1.0.0/24');
    expect(view?.foreignDhcp).toMatchObject([{ address: '10.1.0.66', mac: '02:66:66:00:00:01' }]);
    expect(view?.warnings).toMatchObject([{ code: 'network.foreign_dhcp', fix: expect.stringContaining('proxy') }]);
    expect(await events()).toMatchObject([
      { type: 'FOREIGN_DHCP', system_id: rack, description: expect.stringContaining('10.1.0.66 (02:66:66:00:00:01)') },
    ]);
    const external = async () =>
      (
        await region.deps.db
          .selectFrom('vlans')
          .select('external_dhcp')
          .where('id', '=', vlanId)
          .executeTakeFirstOrThrow()
      ).external_dhcp;
    expect(await external()).toBe('10.1.0.66');
    await serve(region.deps, { cidr: '10.1.0.0/24', mode: 'proxy' });
    expect((await subnetView('10.1.0.0/24'))?.warnings).toEqual([]);
    await heard();
    expect(await external()).toBeNull();
    const alone = await subnetView('10.1.0.0/24');
    expect(alone).toMatchObject({ foreignDhcp: [], warnings: [{ code: 'network.proxy_alone' }] });
  });

  /**
   * @fault the dynamic range of a network is exhausted: a machine asks by DHCP and no address is left
   * @sees a warning `network.range_exhausted` with the counts in `ingot doctor` and `ingot network list`, one event of the rack
   * @ends when a range is added or a lease ends: the warning goes, the machine asks again by itself
   */
  it('an exhausted range is one event and a line until an address is free', async () => {
    const rack = await rackAt('rack01', '10.1.0.1/24');
    const { subnetId } = await serve(region.deps, { cidr: '10.1.0.0/24', start: '10.1.0.100', end: '10.1.0.101' });
    const count = async (given: number, refused: number) =>
      await recordDhcp(region.deps, rack, { foreign: [], pools: [{ subnetId, addresses: 2, given, refused }] });
    await count(2, 0);
    expect(await subnetView('10.1.0.0/24')).toMatchObject({ pool: { addresses: 2, given: 2 }, warnings: [] });
    await count(2, 3);
    await count(2, 1);
    expect((await subnetView('10.1.0.0/24'))?.warnings).toMatchObject([
      {
        code: 'network.range_exhausted',
        message: expect.stringContaining('2 of 2'),
        fix: expect.stringContaining('--range'),
      },
    ]);
    expect(await events()).toMatchObject([{ type: 'DHCP_RANGE_EXHAUSTED', system_id: rack }]);
    await serve(region.deps, { cidr: '10.1.0.0/24', start: '10.1.0.110', end: '10.1.0.120' });
    await recordDhcp(region.deps, rack, { foreign: [], pools: [{ subnetId, addresses: 13, given: 3, refused: 0 }] });
    expect(await subnetView('10.1.0.0/24')).toMatchObject({ pool: { addresses: 13, given: 3 }, warnings: [] });
  });

  it('what is said of networks that are gone changes nothing', async () => {
    const rack = await rackAt('rack01', '10.1.0.1/24');
    const servers = [{ address: '10.1.0.66', mac: '02:66:66:00:00:01' }];
    const pools = [{ subnetId: 999, addresses: 1, given: 1, refused: 1 }];
    await recordDhcp(region.deps, rack, { foreign: [{ vlanId: 999, servers }], pools });
    expect(await events()).toEqual([]);
  });
});
