import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { markMachines } from '../../store/mark.ts';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { type Dialect, startDialect } from '../testing/dialect.ts';
import { addMachine, prepareSite } from '../testing/machines.ts';
import { storedBody } from './stored.ts';

let cluster: TestCluster;
let dialect: Dialect;
beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
});
afterAll(async () => {
  await dialect?.close();
  await cluster?.close();
});

const Shown = z.object({ status_name: z.string(), commissioning_status_name: z.string() });
const RUNNING = 1;
const PASSED = 2;

/** Runs `change` once, on another connection, after the machine's own row was read to render its body. */
function interrupting(change: () => Promise<unknown>): KyselyPlugin {
  let isDone = false;
  return {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      const [row] = result.rows;
      if (!isDone && row !== undefined && 'tag_names' in row) {
        isDone = true;
        await change();
      }
      return result;
    },
  };
}

test('a stored body is of one moment, whatever is committed while it is made, and the next reader gets the later one', async () => {
  const { db } = dialect.deps;
  const { id, systemId } = await addMachine(dialect.deps, await prepareSite(dialect.deps), { hostname: 'between' });
  const set = await db
    .insertInto('script_sets')
    .values({ machine_id: id, type: 0 })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.insertInto('script_results').values({ set_id: set.id, name: 'lshw', status: RUNNING }).execute();
  await db
    .updateTable('machines')
    .set({ status: 'COMMISSIONING', set_commissioning: set.id })
    .where('id', '=', id)
    .execute();
  await markMachines(db, [{ id, systemId }]);
  const end = () =>
    db.transaction().execute(async (trx) => {
      await trx.updateTable('machines').set({ status: 'READY' }).where('id', '=', id).execute();
      await trx.updateTable('script_results').set({ status: PASSED }).where('set_id', '=', set.id).execute();
      await markMachines(trx, [{ id, systemId }]);
    });
  const read = async (from: typeof db) => {
    const shown = Shown.parse(JSON.parse((await storedBody(from, id)) ?? 'null'));
    return [shown.status_name, shown.commissioning_status_name];
  };
  // A body is made for whoever asks first; what is committed meanwhile is for the next one.
  expect(await read(db.withPlugin(interrupting(end)))).toEqual(['Commissioning', 'Running']);
  expect(await read(db)).toEqual(['Ready', 'Passed']);
});
