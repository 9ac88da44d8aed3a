import type { Evidence } from '@ingot/contract/rack.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { testRegion } from '../testing/region.ts';
import { recordEvidence } from './record.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster?.close());

/**
 * @fault What a rack saw of a machine's enlistment arrives after its commissioning was asked for, on a busy host.
 * @sees It stands in the timeline, and the machine still waits for its power.
 * @ends The machine is switched on, and what names this attempt moves it on.
 */
test('evidence of the boot before takes no power order back', async () => {
  const region = await testRegion(cluster);
  const { deps, admin } = region;
  const { door } = deps;
  const rack = await region.rack();
  await region.ephemeralImage();
  const { systemId } = await region.machine();
  await door.apply(systemId, { type: 'power-observed', actor: { kind: 'system' }, state: 'off' });
  await door.apply(systemId, { type: 'commission', actor: admin });
  const attempt = (await door.load(systemId))?.attempt?.id ?? 0;
  const { mac } = await deps.db
    .selectFrom('interfaces')
    .innerJoin('machines', 'machines.id', 'interfaces.machine_id')
    .select('interfaces.mac')
    .where('machines.system_id', '=', systemId)
    .executeTakeFirstOrThrow();
  const seen = (named: number | null): Evidence[] => {
    const of = { mac: mac ?? '', address: '10.0.0.9', systemId, attempt: named, agoMs: 0 };
    const path = `/blobs/sha256/${'2'.repeat(64)}`;
    return [
      { ...of, kind: 'boot.script', text: 'ephemeral system', data: { decision: 'ephemeral' } },
      { ...of, kind: 'http.read', text: 'root image', data: { path, bytes: 1000 } },
    ];
  };
  await recordEvidence(deps, rack, seen(null));
  expect(await door.load(systemId)).toMatchObject({ powerWant: 'on', attempt: { phase: 'power' } });
  const kept = await deps.db.selectFrom('evidence').select('kind').where('attempt_id', '=', attempt).execute();
  expect(kept.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['boot.script', 'http.read']));
  // A rack names the attempt it knows of, also where a boot that began before reads on.
  await recordEvidence(deps, rack, seen(attempt).slice(1));
  expect(await door.load(systemId)).toMatchObject({ powerWant: 'on', attempt: { phase: 'power' } });
  await recordEvidence(deps, rack, seen(attempt));
  expect(await door.load(systemId)).toMatchObject({ powerWant: null, attempt: { phase: 'agent' } });
  await region.close();
});
