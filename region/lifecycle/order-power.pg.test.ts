import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { orderPower, type PowerOrder } from './order-power.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
  region = await testRegion(cluster);
  await region.ephemeralImage();
  await region.rack();
});
afterAll(async () => {
  await region?.close();
  await cluster?.close();
});

/**
 * @fault A region is about to order a power cycle, while the machine reports: its first order was carried out, and the answer lost.
 * @sees Nothing.
 * @ends No second order is written: the machine is not switched a second time while it works.
 */
test('a want that is no more is not ordered, however long ago it was read', async () => {
  const { deps, admin } = region;
  const { systemId } = await region.machine();
  expect(await deps.door.apply(systemId, { type: 'commission', actor: admin })).toMatchObject({ ok: true });
  const row = await deps.db
    .selectFrom('machines')
    .select(['id', 'generation', 'attempt_id', 'power_want'])
    .where('system_id', '=', systemId)
    .executeTakeFirstOrThrow();
  expect(row.power_want).toBe('cycle');
  const asRead: PowerOrder = {
    machineId: row.id,
    systemId,
    attemptId: row.attempt_id,
    generation: row.generation,
    action: 'cycle',
    soft: false,
    bootFrom: 'network',
  };
  const order = () => deps.db.transaction().execute((trx) => orderPower(trx, asRead));
  const first = await order();
  expect(first).toMatchObject({ isNew: true });
  expect(await order(), 'while it is open it stands').toEqual({ id: first?.id, isNew: false });
  const actor = { kind: 'system' } as const;
  const { attempt_id: attemptId, generation } = row;
  const outcome = { ok: true, state: 'on' } as const;
  await deps.door.apply(systemId, { type: 'power-result', actor, attemptId, generation, outcome });
  expect(await order(), 'the machine runs').toBeNull();
  const orders = await deps.db.selectFrom('rack_work').select('id').where('machine_id', '=', row.id).execute();
  expect(orders).toHaveLength(1);
});
