import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { startTestApi, type TestApi } from '../../testing/native-api.ts';
import { readMachines } from './machines.ts';
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

/** Runs `change` once, on another connection, after the first rows of the read that it is plugged into. */
function interrupting(change: () => Promise<unknown>): KyselyPlugin {
  let isDone = false;
  return {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      if (!isDone) {
        isDone = true;
        await change();
      }
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
