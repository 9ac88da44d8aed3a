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
  const systemId = await beingSwitchedOn();
  const state = await region.deps.door.load(systemId);
  const order = { attemptId: state?.attempt?.id ?? null, generation: state?.generation ?? -1 };
  const actor = { kind: 'system' } as const;
  await region.deps.door.apply(systemId, { type: 'power-result', actor, ...order, outcome: { ok: true, state: 'on' } });
  await makeLate(systemId, lateMs);
  return systemId;
}

async function beingSwitchedOn(): Promise<string> {
  const { deps, admin } = region;
  const { systemId } = await region.machine();
  expect(await deps.door.apply(systemId, { type: 'commission', actor: admin })).toMatchObject({ ok: true });
  return systemId;
}

async function makeLate(systemId: string, lateMs: number): Promise<void> {
  const { deps } = region;
  const deadline = new Date(Date.now() - lateMs);
  const { attempt } = (await deps.door.load(systemId)) ?? {};
  await deps.db
    .updateTable('attempts')
    .set({ deadline, started: new Date(deadline.getTime() - 5 * MINUTE) })
    .where('id', '=', attempt?.id ?? -1)
    .execute();
  await deps.db.updateTable('machines').set({ waiting_deadline: deadline }).where('system_id', '=', systemId).execute();
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

/**
 * @fault The rack's link is cut for five minutes before the rack has heard that it shall switch a machine on.
 * @sees The machine waits for its power, and is not failed for it.
 * @ends The rack is told when it is back. Had no rack been there to be told, the attempt ends with stuck.power.
 */
test('an order that lies with a rack that is away does not fail for its deadline', async () => {
  const { db } = region.deps;
  await region.rack();
  const systemId = await beingSwitchedOn();
  const state = await region.deps.door.load(systemId);
  const attemptId = state?.attempt?.id ?? -1;
  await makeLate(systemId, 5 * MINUTE);
  const { id: machineId } = await db
    .selectFrom('machines')
    .select('id')
    .where('system_id', '=', systemId)
    .executeTakeFirstOrThrow();
  const { rack_id: rackId } = await db.selectFrom('rack_links').select('rack_id').executeTakeFirstOrThrow();
  await db
    .insertInto('rack_work')
    .values({
      rack_id: rackId,
      machine_id: machineId,
      attempt_id: attemptId,
      generation: state?.generation ?? 0,
      action: 'on',
    })
    .execute();
  await link('1 hour', '2 minutes');
  expect(await failureAfterSweep(systemId), 'a rack that is away').toBeNull();
  await link('30 s');
  expect(await failureAfterSweep(systemId), 'a rack that is being told').toBeNull();
  await link('2 minutes');
  expect(await failureAfterSweep(systemId), 'a rack that does not do it').toBe('stuck.power');

  const unheard = await beingSwitchedOn();
  await makeLate(unheard, MINUTE);
  await db.deleteFrom('rack_links').execute();
  await db.updateTable('racks').set({ last_seen: sql<Date>`now()` }).execute();
  expect(await failureAfterSweep(unheard), 'a rack that went before it was told').toBeNull();
  await db.updateTable('racks').set({ last_seen: sql<Date>`now() - interval '1 hour'` }).execute();
  expect(await failureAfterSweep(unheard), 'no rack was ever told').toBe('stuck.power');
});
