import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { startTestApi, type TestApi } from '../../testing/native-api.ts';
import { eachMachine, type OwnedView, readMachines } from './machines.ts';
import { typicalTimes } from './typical.ts';

let cluster: TestCluster;
let api: TestApi;
beforeAll(async () => {
  cluster = await startTestCluster();
  api = await startTestApi(cluster);
});
afterAll(async () => {
  await api?.close();
  await cluster?.close();
});

const ATTEMPT = 7001;
const STARTED = new Date(Date.UTC(2026, 0, 1));

async function get(url: string) {
  const answer = await api.app.inject({
    method: 'GET',
    url: `/api/v1${url}`,
    headers: { authorization: `Bearer ${api.keys.admin}` },
  });
  expect(answer.statusCode).toBe(200);
  return answer.json();
}

/** Runs `change` once, on another connection, after the first (or a later) answer to the read that it is plugged into. */
function interrupting(change: () => Promise<unknown>, after = 1): KyselyPlugin {
  let answers = 0;
  return {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      answers += 1;
      if (answers === after) await change();
      return result;
    },
  };
}

// Seen in lives among faults: the attempt of a machine had ended, and it still read COMMISSIONING.
test('a machine is shown with the attempt of the same moment, whatever is committed while it is read', async () => {
  const { db } = api.deps;
  const systemId = await api.machine({ hostname: 'between', status: 'COMMISSIONING' });
  await db
    .insertInto('attempts')
    .values({
      id: ATTEMPT,
      system_id: systemId,
      hostname: 'between',
      kind: 'commission',
      started: STARTED,
      phase: 'agent',
      phase_since: STARTED,
    })
    .execute();
  const end = () =>
    db.transaction().execute(async (trx) => {
      await trx.updateTable('machines').set({ status: 'READY' }).where('system_id', '=', systemId).execute();
      await trx
        .updateTable('attempts')
        .set({ ended: new Date(), outcome: 'passed' })
        .where('id', '=', ATTEMPT)
        .execute();
    });
  const read = async (from: typeof db) => {
    const [one] = await readMachines(from, typicalTimes(db), { systemIds: [systemId] }, null, Date.now());
    return [one?.view.status, one?.view.attempt?.outcome];
  };
  expect(await read(db.withPlugin(interrupting(end)))).toEqual(['COMMISSIONING', null]);
  expect(await read(db)).toEqual(['READY', 'passed']);
});

test('a list of several pages is whole, in order, and of one moment', async () => {
  const { db } = api.deps;
  await db
    .insertInto('machines')
    .values(
      Array.from({ length: 450 }, (_, n) => ({
        system_id: `many${n}`,
        // Not in the order in which they are written.
        hostname: `many-${String((n * 7) % 450).padStart(3, '0')}`,
        zone_id: 1,
        architecture: 'amd64/generic',
        power_type: 'manual',
        cpu_count: n % 2 === 0 ? 4 : 8,
      })),
    )
    .execute();
  const read = async (from: typeof db) => {
    const seen: OwnedView[] = [];
    const sizes: number[] = [];
    const admin = { userId: 1, username: 'a', admin: true, via: 'local', address: null, userAgent: '' } as const;
    await eachMachine(from, typicalTimes(db), admin, Date.now(), (page) => {
      sizes.push(page.length);
      seen.push(...page);
    });
    return { names: seen.map(({ view }) => view.hostname).filter((name) => name.startsWith('many-')), sizes };
  };
  const inOrder = Array.from({ length: 450 }, (_, n) => `many-${String(n).padStart(3, '0')}`);
  const remove = () => db.deleteFrom('machines').where('hostname', '>=', 'many-300').execute();
  // The look at whether one page is all, the ids, the first page.
  const { names, sizes } = await read(db.withPlugin(interrupting(remove, 3)));
  expect(names).toEqual(inOrder);
  expect(sizes.length).toBeGreaterThan(2);
  expect((await read(db)).names).toEqual(inOrder.slice(0, 300));

  const listed = await get('/machines?filter=many%20cpu:8');
  expect(listed).toHaveLength(150);
  expect(listed[149]).toMatchObject({ hostname: 'many-299', cpuCount: 8 });
});

test('in the list a running attempt has its phases, one that has ended has them at its machine', async () => {
  const { db } = api.deps;
  const phases = async () => {
    const [listed] = await get('/machines?filter=between');
    const one = await get('/machines/between');
    return [listed.attempt.phases.length, one.attempt.phases.length];
  };
  await db.insertInto('attempt_phases').values({ attempt_id: ATTEMPT, name: 'agent', started: STARTED }).execute();
  expect(await phases()).toEqual([0, 1]);
  await db.updateTable('attempts').set({ ended: null, outcome: null }).where('id', '=', ATTEMPT).execute();
  expect(await phases()).toEqual([1, 1]);
});
