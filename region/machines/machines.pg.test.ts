import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPowerParameters } from '../store/power-parameters.ts';
import { readUserData, writeUserData } from '../store/user-data.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { createMachine } from './create.ts';
import { updateMachine } from './update.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
  region = await testRegion(cluster);
});
afterAll(async () => {
  await region.close();
  await cluster.close();
});

const MAC = '52-54-00-AB-CD-EF';

test('makes up an id and a name, keeps the MACs, and seals the password of the BMC', async () => {
  const { deps } = region;
  const power = { type: 'ipmi', parameters: { power_address: '10.0.0.9', power_user: 'maas', power_pass: 'hunter2' } };
  const machine = await createMachine(deps, {
    hostname: '10-0-0-7',
    architecture: 'amd64/generic',
    macAddresses: [MAC],
    power,
  });
  expect(machine.systemId).toMatch(/^[346789abcdefghkmnpqrtwxy]{6}$/);
  expect(machine.hostname).toMatch(/^[a-z]+-[a-z]+$/);
  const row = await deps.db.selectFrom('machines').selectAll().where('id', '=', machine.id).executeTakeFirstOrThrow();
  expect(row.power_parameters).toEqual({ power_address: '10.0.0.9', power_user: 'maas' });
  expect(JSON.stringify(row)).not.toContain('hunter2');
  expect(await readPowerParameters(deps, machine.systemId)).toEqual(power);
  const card = await deps.db
    .selectFrom('interfaces')
    .selectAll()
    .where('machine_id', '=', machine.id)
    .executeTakeFirstOrThrow();
  expect(card).toMatchObject({ id: row.boot_interface_id, mac: '52:54:00:ab:cd:ef', name: 'eth0' });
});

test('refuses a MAC that another machine has, a taken name and a malformed one', async () => {
  const { deps } = region;
  const make = (hostname: string, macAddresses: string[]) =>
    createMachine(deps, { hostname, architecture: '', macAddresses });
  await expect(make('fresh', [MAC])).rejects.toMatchObject({ code: 'machine.mac_in_use', field: 'mac_addresses' });
  await make('taken', []);
  await expect(make('Taken', [])).rejects.toMatchObject({ code: 'machine.hostname_taken' });
  await expect(make('-wrong-', [])).rejects.toMatchObject({ code: 'machine.hostname_invalid' });
  await expect(make('other', ['52:54'])).rejects.toMatchObject({ code: 'machine.mac_invalid' });
});

test('an update changes what it names only, replaces tags, and refuses a taken name', async () => {
  const { deps } = region;
  const machine = await createMachine(deps, { hostname: 'before', architecture: 'amd64/generic', macAddresses: [] });
  await updateMachine(deps, machine.systemId, { hostname: 'after', tags: ['rack-a', 'ssd'] });
  await updateMachine(deps, machine.systemId, { tags: ['ssd'] });
  const row = await deps.db.selectFrom('machines').selectAll().where('id', '=', machine.id).executeTakeFirstOrThrow();
  expect(row).toMatchObject({ hostname: 'after', architecture: 'amd64/generic', version: 2 });
  const tags = await deps.db.selectFrom('machine_tags').select('tag_id').where('machine_id', '=', machine.id).execute();
  expect(tags).toHaveLength(1);
  await expect(updateMachine(deps, machine.systemId, { hostname: 'taken' })).rejects.toMatchObject({
    code: 'machine.hostname_taken',
  });
  await expect(updateMachine(deps, 'nobody', {})).rejects.toThrow(/no machine/);
});

test('user-data is kept sealed and given back byte by byte', async () => {
  const { deps } = region;
  const { systemId, id } = await createMachine(deps, { architecture: '', macAddresses: [] });
  expect(await readUserData(deps, systemId)).toBeNull();
  const data = Buffer.from([0, 255, 10, 13, 0]);
  await writeUserData(deps, systemId, data);
  expect(await readUserData(deps, systemId)).toEqual(data);
  // Moved to another row it cannot be opened.
  const other = await createMachine(deps, { architecture: '', macAddresses: [] });
  await deps.db
    .updateTable('machines')
    .set((eb) => ({ user_data: eb.selectFrom('machines as m').select('m.user_data').where('m.id', '=', id) }))
    .where('id', '=', other.id)
    .execute();
  await expect(readUserData(deps, other.systemId)).rejects.toThrow();
});
