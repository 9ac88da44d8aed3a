import { explain } from '@ingot/core/machine/explain.ts';
import type { Command } from '@ingot/core/machine/model.ts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { serve } from '../network/serve.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  region = await testRegion(cluster);
  await region.ephemeralImage();
  return () => region.close();
});

async function report(rack: string, services: { name: string; ok: boolean; detail: string }[]): Promise<void> {
  await region.deps.db
    .updateTable('racks')
    .set({ services: JSON.stringify(services) })
    .where('system_id', '=', rack)
    .execute();
}
const fine = ['tftp', 'http', 'agent', 'dhcp'].map((name) => ({ name, ok: true, detail: 'listening' }));
const noTftp = [{ name: 'tftp', ok: false, detail: 'port 69 is taken' }, ...fine.slice(1)];

async function warningsOf(systemId: string): Promise<[string, string][]> {
  const machine = await region.deps.door.load(systemId);
  if (!machine) throw new Error('no machine');
  return explain(machine, 'commission', region.admin).warnings.map(({ code, message }) => [code, message]);
}

/** A machine that could be deployed: READY, linked to the subnet. */
async function ready(subnetId: number): Promise<{ id: number; systemId: string }> {
  const machine = await region.machine();
  const { db } = region.deps;
  await db.updateTable('machines').set({ status: 'READY' }).where('id', '=', machine.id).execute();
  const card = await db
    .selectFrom('interfaces')
    .select('id')
    .where('machine_id', '=', machine.id)
    .executeTakeFirstOrThrow();
  await db.insertInto('interface_links').values({ interface_id: card.id, mode: 'auto', subnet_id: subnetId }).execute();
  return machine;
}

const deploy = (): Command => ({
  type: 'deploy',
  actor: region.admin,
  osystem: 'debian',
  distroSeries: 'bookworm',
  imageAvailable: true,
});

test('a rack whose TFTP is down warns, as long as no other rack could serve the machine', async () => {
  const { systemId } = await region.machine();
  await report(await region.rack('rack-a'), noTftp);
  expect(await warningsOf(systemId)).toEqual([
    ['rack.service_down', 'Rack rack-a: tftp is not running: port 69 is taken'],
  ]);
  await report(await region.rack('rack-b'), fine);
  expect(await warningsOf(systemId)).toEqual([]);
});

test('the rack of the boot network counts alone', async () => {
  const down = await region.rack('rack-a');
  await report(down, noTftp);
  await report(await region.rack('rack-b'), fine);
  const machine = await region.machine();
  const { db } = region.deps;
  const vlan = await db.selectFrom('vlans').select('id').executeTakeFirstOrThrow();
  await db.updateTable('vlans').set({ primary_rack: down }).where('id', '=', vlan.id).execute();
  const card = await db
    .updateTable('interfaces')
    .set({ vlan_id: vlan.id })
    .where('machine_id', '=', machine.id)
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.updateTable('machines').set({ boot_interface_id: card.id }).where('id', '=', machine.id).execute();
  expect((await warningsOf(machine.systemId)).map(([code]) => code)).toEqual(['rack.service_down']);
});

/**
 * @fault A machine is to be deployed whose disk is too small, or into a subnet without a free address.
 * @sees Refused at once: install.disk_too_small or net.ip_exhausted.
 * @ends Nothing of the machine is changed.
 */
test('a deployment to a disk that is too small, or into a full subnet, is refused and changes nothing', async () => {
  await region.rack();
  const { db, door } = region.deps;
  const { subnetId } = await serve(region.deps, { cidr: '10.0.0.0/29', start: '10.0.0.2', end: '10.0.0.6' });
  const first = await ready(subnetId);
  await db.updateTable('block_devices').set({ size: 1_000_000_000 }).where('machine_id', '=', first.id).execute();
  expect(await door.apply(first.systemId, deploy())).toMatchObject({
    ok: false,
    refused: [{ code: 'install.disk_too_small' }],
  });
  await db.updateTable('block_devices').set({ size: 10_000_000_000 }).where('machine_id', '=', first.id).execute();
  expect(await door.apply(first.systemId, deploy())).toMatchObject({ ok: true });
  const second = await ready(subnetId);
  expect(await door.apply(second.systemId, deploy())).toMatchObject({
    ok: false,
    refused: [{ code: 'net.ip_exhausted', message: 'No more IPs available in subnet: 10.0.0.0/29.' }],
  });
  expect(await door.load(second.systemId)).toMatchObject({ status: 'READY', owner: null, attempt: null });
});
