import { afterAll, beforeAll, expect, test } from 'vitest';
import { pollPower } from '../lifecycle/power-poll.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type Client, type Dialect, startDialect } from './testing/dialect.ts';
import { prepareSite } from './testing/machines.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;

beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  await prepareSite(dialect.deps);
}, 60_000);

afterAll(async () => {
  await dialect.close();
  await cluster.close();
});

interface Field {
  name: string;
  required: boolean;
  secret: boolean;
  scope: string;
}

const REDFISH = {
  power_type: 'redfish',
  power_parameters_power_address: '10.0.0.9',
  power_parameters_power_user: 'root',
  power_parameters_power_pass: 'calvin',
};

let made = 0;
const create = (form: Record<string, string>) => {
  made += 1;
  const mac = `52:54:00:aa:cc:${made.toString(16).padStart(2, '0')}`;
  return admin.post('machines/', { architecture: 'amd64', mac_addresses: mac, commission: 'false', ...form });
};

test('power types are described as MAAS does, for any user', async () => {
  const ann = await dialect.person('ann', false);
  const types = (await ann.get('rackcontrollers/?op=describe_power_types')).json() as {
    name: string;
    fields: Field[];
  }[];
  expect(types.map((type) => type.name)).toEqual(['ipmi', 'manual', 'redfish', 'webhook']);
  const redfish = types.find((type) => type.name === 'redfish');
  expect(redfish).toMatchObject({
    driver_type: 'power',
    description: 'Redfish',
    chassis: true,
    can_probe: false,
    queryable: true,
    missing_packages: [],
  });
  expect(redfish?.fields.find((field) => field.name === 'node_id')).toEqual({
    name: 'node_id',
    label: 'Node ID',
    required: false,
    field_type: 'string',
    choices: [],
    default: '',
    scope: 'node',
    secret: false,
  });
  expect(redfish?.fields.filter((field) => field.secret).map((field) => field.name)).toEqual(['power_pass']);
});

test('a machine is made with redfish or webhook power; secrets are in the power parameters alone', async () => {
  const webhook = {
    power_type: 'webhook',
    power_parameters: JSON.stringify({
      power_on_uri: 'https://site/on',
      power_off_uri: 'https://site/off',
      power_query_uri: 'https://site/query',
      power_token: 'tok-1',
    }),
  };
  for (const [form, secret] of [
    [REDFISH, 'calvin'],
    [webhook, 'tok-1'],
  ] as const) {
    const answer = await create(form);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining(`"power_type": "${form.power_type}"`)]);
    expect(answer.text).not.toContain(secret);
    const { system_id } = answer.json() as { system_id: string };
    expect((await admin.get(`machines/${system_id}/?op=power_parameters`)).text).toContain(secret);
    const stored = await dialect.deps.db
      .selectFrom('machines')
      .select('power_parameters')
      .where('system_id', '=', system_id)
      .executeTakeFirstOrThrow();
    expect(JSON.stringify(stored.power_parameters)).not.toContain(secret);
  }
  // Nobody is there to ask: no rack is connected. That it does not fail is what counts.
  expect(await pollPower(dialect.deps)).toBe(0);
});

test('what a power type needs is asked for, by its label', async () => {
  const said = async (form: Record<string, string>) => {
    const answer = await create(form);
    return [answer.status, answer.json()];
  };
  expect(await said({ power_type: 'redfish', power_parameters_power_address: '10.0.0.9' })).toEqual([
    400,
    { power_parameters: ['Redfish user: This field is required.'] },
  ]);
  expect(await said({ ...REDFISH, power_parameters_power_verify_ssl: 'maybe' })).toEqual([
    400,
    {
      power_parameters: [
        'Verify SSL connections with system CA certificates: Select a valid choice. maybe is not one of the available choices.',
      ],
    },
  ]);
  expect(await said({ power_type: 'abacus' })).toEqual([
    400,
    { power_type: ['Select a valid choice. abacus is not one of the available choices.'] },
  ]);
  const skipped = await create({ power_type: 'redfish', power_parameters_skip_check: 'true' });
  expect(skipped.status).toBe(200);
});
