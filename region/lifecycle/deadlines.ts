import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';

const BATCH = 50;
/** After a deadline that changed nothing (a decision of core), its machine is left alone for this long. */
const REST_MS = 60_000;

type Deps = Pick<RegionDeps, 'db' | 'door' | 'log'>;

/** Finds passed deadlines by the partial indexes and puts each to the door. Made to be called every second. */
export function createDeadlineSweep(deps: Deps): () => Promise<void> {
  const resting = new Map<string, number>();
  return async () => {
    const now = performance.now();
    for (const [systemId, until] of resting) if (until < now) resting.delete(systemId);
    const skip = [...resting.keys()];
    const { rows } = await sql<{ system_id: string }>`
      SELECT system_id FROM machines
      WHERE waiting_deadline <= now() AND NOT system_id = ANY(${skip}::text[])
      UNION
      SELECT m.system_id FROM attempts a JOIN machines m ON m.attempt_id = a.id
      WHERE a.ended IS NULL AND a.deadline <= now() AND NOT m.system_id = ANY(${skip}::text[])
      LIMIT ${BATCH}`.execute(deps.db);
    for (const { system_id } of rows) {
      try {
        const applied = await deps.door.apply(system_id, { type: 'deadline', actor: { kind: 'timer' } });
        if (!applied.ok || applied.note !== undefined) resting.set(system_id, now + REST_MS);
      } catch (error) {
        resting.set(system_id, now + REST_MS);
        deps.log.error({ err: error, machine: system_id }, 'a deadline could not be applied');
      }
    }
  };
}
