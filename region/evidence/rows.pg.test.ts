import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { testRegion } from '../testing/region.ts';
import { appendEvidence, type EvidenceRow } from './rows.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

const MOST = 2000;

test('an attempt keeps the first two thousand pieces in their order; others beside it are kept', async () => {
  const region = await testRegion(cluster);
  await region.rack();
  await region.ephemeralImage();
  const { db, door } = region.deps;
  const machine = await region.machine({ hostname: 'calm-fox' });
  await door.apply(machine.systemId, { type: 'commission', actor: region.admin });
  const attemptId = (await door.load(machine.systemId))?.attempt?.id ?? 0;
  const piece = (text: string, to: number | null): EvidenceRow => ({
    ...{ attemptId: to, systemId: to === null ? null : machine.systemId, mac: '52:54:00:00:00:01', agoMs: 1500 },
    ...{ phase: 'agent', kind: 'agent.progress', text, data: { odd: 'a"{},\\b' } },
  });
  const before = await db.selectFrom('evidence').select('id').where('attempt_id', '=', attemptId).execute();
  const most = Array.from({ length: MOST - before.length - 1 }, (_, n) => piece(`${n}`, attemptId));
  await appendEvidence(db, most);
  await appendEvidence(db, [piece('the last', attemptId), piece('too much', attemptId), piece('nobody’s', null)]);
  await appendEvidence(db, [piece('too late', attemptId)]);
  const kept = await db.selectFrom('evidence').selectAll().where('attempt_id', '=', attemptId).orderBy('id').execute();
  expect(kept).toHaveLength(MOST);
  expect(kept.slice(before.length).map((row) => row.text)).toEqual([...most.map((row) => row.text), 'the last']);
  expect(kept.at(-1)).toMatchObject({ data: { odd: 'a"{},\\b' }, system_id: machine.systemId });
  const others = await db.selectFrom('evidence').selectAll().where('attempt_id', 'is', null).execute();
  expect(others.map((row) => row.text)).toEqual(['nobody’s']);
  await region.close();
});
