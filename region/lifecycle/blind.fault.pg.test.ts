import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { createDeadlineSweep } from './deadlines.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
  region = await testRegion(cluster);
  await region.ephemeralImage();
});
afterAll(async () => {
  await region?.close();
  await cluster?.close();
});

const MINUTE = 60_000;

/** A machine whose DHCP request is overdue since `lateMs`. */
async function overdue(lateMs: number): Promise<string> {
  const { deps, admin } = region;
  const { systemId } = await region.machine();
  expect(await deps.door.apply(systemId, { type: 'commission', actor: admin })).toMatchObject({ ok: true });
  const state = await deps.door.load(systemId);
  const order = { attemptId: state?.attempt?.id ?? null, generation: state?.generation ?? -1 };
  const actor = { kind: 'system' } as const;
  await deps.door.apply(systemId, { type: 'power-result', actor, ...order, outcome: { ok: true, state: 'on' } });
  const deadline = new Date(Date.now() - lateMs);
  const { attempt } = (await deps.door.load(systemId)) ?? {};
  await deps.db
    .updateTable('attempts')
    .set({ deadline })
    .where('id', '=', attempt?.id ?? -1)
    .execute();
  await deps.db.updateTable('machines').set({ waiting_deadline: deadline }).where('system_id', '=', systemId).execute();
  return systemId;
}

async function failureAfterSweep(systemId: string): Promise<string | null> {
  await createDeadlineSweep(region.deps)();
  return (await region.deps.door.load(systemId))?.attempt?.failure?.code ?? null;
}

const link = (since: string, heartbeat = '0 s') =>
  region.deps.db
    .updateTable('rack_links')
    .set({
      since: sql<Date>`now() - ${since}::interval`,
      heartbeat: sql<Date>`now() - ${heartbeat}::interval`,
    })
    .execute();

/**
 * @fault The rack's link is cut, or the region itself was away, for longer than a phase of a machine's work may take.
 * @sees The machine waits; when the rack is back it first tells what it saw meanwhile.
 * @ends Deadlines count again five seconds after the link is back, and in any case after an hour without it.
 */
test('silence of a machine whose rack is away does not fail its work', async () => {
  await region.rack();
  const systemId = await overdue(10 * MINUTE);
  await region.deps.db.deleteFrom('rack_links').execute();
  expect(await failureAfterSweep(systemId), 'no rack').toBeNull();
  await region.rack();
  await link('1 hour', '2 minutes');
  expect(await failureAfterSweep(systemId), 'a rack that is silent').toBeNull();
  await link('1 s');
  expect(await failureAfterSweep(systemId), 'a rack that has just come back').toBeNull();
  await link('10 s');
  expect(await failureAfterSweep(systemId), 'a rack that is there').toBe('stuck.dhcp');
  const given = await overdue(61 * MINUTE);
  await link('1 hour', '2 minutes');
  expect(await failureAfterSweep(given), 'after an hour').toBe('stuck.dhcp');
});
