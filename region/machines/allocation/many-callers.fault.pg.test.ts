import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, formatToken } from '../../accounts/api-tokens.ts';
import { createUser } from '../../accounts/users.ts';
import { type Dialect, startDialect } from '../../maas/testing/dialect.ts';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';

const MACHINES = 1000;
const CLIENTS = 64;

let cluster: TestCluster;
let regions: Dialect[];

beforeAll(async () => {
  cluster = await startTestCluster();
  const first = await startDialect(cluster);
  regions = [first, await startDialect(cluster, first)];
});
afterAll(async () => {
  for (const region of regions?.toReversed() ?? []) await region.close();
  await cluster?.close();
});

async function addMachines(count: number, prefix: string): Promise<void> {
  const { db } = regionOf(0).deps;
  await sql`
    INSERT INTO machines (system_id, hostname, zone_id, status, architecture, power_type, cpu_count, memory)
    SELECT ${prefix} || lpad(n::text, 5, '0'), ${prefix} || '-' || n, 1, 'READY', 'amd64/generic', 'manual', 1 + n % 8, 1024 * (1 + n % 5)
    FROM generate_series(1, ${count}::integer) n`.execute(db);
  await sql`INSERT INTO changes (kind, key) SELECT 'machine', system_id FROM machines`.execute(db);
}

function regionOf(which: number): Dialect {
  const region = regions[which % regions.length];
  if (region === undefined) throw new Error('no region was started');
  return region;
}

/** Clients of different users, half of them at each region process. */
async function newClients(count: number, prefix: string) {
  const { deps } = regionOf(0);
  const clients = [];
  for (let n = 0; n < count; n++) {
    const user = await createUser(deps, { username: `${prefix}${n}`, password: 'long-enough', isAdmin: false });
    clients.push(regionOf(n).as(formatToken(await createToken(deps, user.id)), user.id));
  }
  return clients;
}

/**
 * @fault 64 clients allocate 1,000 machines at once, half of them at each of two region processes on one PostgreSQL.
 * @sees Every client gets a machine of its own with 200; when none is left, 409 "No machine available.".
 * @ends Each machine is granted once, to whoever was told so; nobody is refused while a machine is free.
 */
test('64 clients, 1,000 machines, two region processes: no double grant and no lost grant', async () => {
  await addMachines(MACHINES, 'm');
  const clients = await newClients(CLIENTS, 'client');
  const granted = new Map<string, number>();
  const refused: string[] = [];
  let doubles = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (let asked = 0; asked <= MACHINES; asked++) {
        const answer = await client.post('machines/?op=allocate', {});
        if (answer.status !== 200) {
          refused.push(`${answer.status} ${answer.text}`);
          return;
        }
        const body = answer.json() as { system_id: string; owner: string; status_name: string };
        if (granted.has(body.system_id)) doubles += 1;
        granted.set(body.system_id, client.userId);
        expect(body.status_name).toBe('Allocated');
      }
    }),
  );
  expect(doubles).toBe(0);
  expect(granted.size).toBe(MACHINES);
  expect(refused).toEqual(clients.map(() => '409 No machine available.'));
  const stored = await regionOf(0).deps.db.selectFrom('machines').select(['system_id', 'owner_id', 'status']).execute();
  expect(stored.filter((row) => row.status !== 'ALLOCATED')).toEqual([]);
  expect(new Map(stored.map((row) => [row.system_id, row.owner_id]))).toEqual(granted);
  const told = await sql<{ count: number }>`
    SELECT count(*) AS count FROM events WHERE type = 'REQUEST_NODE_ACQUIRE'`.execute(regionOf(0).deps.db);
  expect(told.rows[0]?.count).toBe(MACHINES);
}, 180_000);

test('what is Ready again is seen at once by every region process, and a machine that is held is waited for', async () => {
  const [one] = await newClients(1, 'again');
  const second = regionOf(1);
  if (one === undefined) throw new Error('no client');
  const { db } = second.deps;
  await addMachines(1, 'again');
  const systemId = 'again00001';
  // Only what was commissioned goes back to the pool.
  await sql`
    WITH made AS (INSERT INTO script_sets (machine_id, type) SELECT id, 0 FROM machines WHERE system_id = ${systemId} RETURNING id),
      passed AS (INSERT INTO script_results (set_id, name, status) SELECT id, 'inventory', 2 FROM made)
    UPDATE machines SET set_commissioning = made.id FROM made WHERE system_id = ${systemId}`.execute(db);
  expect((await one.post('machines/?op=allocate', { name: 'again-1' })).status).toBe(200);
  for (let round = 0; round < 5; round++) {
    const released = await second.deps.door.apply(systemId, { type: 'release', actor: { kind: 'system' } });
    expect(released.ok && released.machine.status).toBe('READY');
    // Somebody else writes to the row in this moment, without taking the machine.
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const holding = db.transaction().execute(async (trx) => {
      await trx.selectFrom('machines').select('id').where('system_id', '=', systemId).forUpdate().execute();
      await held;
    });
    const answering = one.post('machines/?op=allocate', { name: 'again-1' });
    setTimeout(letGo, 200);
    const answer = await answering;
    await holding;
    expect([answer.status, answer.text.includes(`"system_id": "${systemId}"`)]).toEqual([200, true]);
  }
});
