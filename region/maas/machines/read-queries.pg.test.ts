import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { type Client, type Dialect, startDialect } from '../testing/dialect.ts';
import { addMachine, prepareSite } from '../testing/machines.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
let site: { subnetId: number; vlanId: number };

beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  site = await prepareSite(dialect.deps);
});
afterAll(async () => {
  await dialect?.close();
  await cluster?.close();
});

/** Statements that the work needs: the least of five runs, for the change feed asks through the same pool now and then. */
async function statements(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) least = Math.min(least, await borrowedIn(work));
  return least;
}

/** Counted by what is borrowed from the pool: outside a transaction one each. */
async function borrowedIn(work: () => Promise<unknown>): Promise<number> {
  const { pool } = dialect.deps;
  let count = 0;
  const borrowed = () => {
    count += 1;
  };
  pool.on('acquire', borrowed);
  try {
    await work();
  } finally {
    pool.off('acquire', borrowed);
  }
  return count;
}

test('one machine is read with three queries: key, nonce, body', async () => {
  const { systemId } = await addMachine(dialect.deps, site, { hostname: 'one' });
  await admin.get(`machines/${systemId}/`);
  expect(await statements(() => admin.get(`machines/${systemId}/`))).toBe(3);
});

test('a list of any length takes the same queries while nothing changed', async () => {
  await admin.get('machines/');
  const few = await statements(() => admin.get('machines/'));
  for (let n = 0; n < 5; n++) await addMachine(dialect.deps, site, { hostname: `more${n}` });
  await admin.get('machines/');
  expect(await statements(() => admin.get('machines/'))).toBe(few);
});

test('bodies of a list that takes several parts are all there, in order, and one JSON document', async () => {
  const { db } = dialect.deps;
  const rows = Array.from({ length: 430 }, (_, n) => ({
    system_id: `p${String(n).padStart(5, '0')}`,
    hostname: `part-${n}`,
    zone_id: 1,
    architecture: 'amd64/generic',
  }));
  await db.insertInto('machines').values(rows).execute();
  const answer = await admin.get('machines/');
  const listed = answer.json() as { system_id: string }[];
  expect(listed.map((one) => one.system_id).filter((id) => id.startsWith('p0'))).toEqual(
    rows.map((row) => row.system_id).filter((id) => id.startsWith('p0')),
  );
});
