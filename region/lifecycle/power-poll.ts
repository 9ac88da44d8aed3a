import { QUERYABLE_TYPES } from '@ingot/core/power/power-types.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { orderPower } from './order-power.ts';

/** A machine's power is asked for again after this long. */
const STALE_SECONDS = 300;
/** Machines asked in one round; rounds are 15 s apart. */
const BATCH = 20;

/** Orders a power query for machines that nobody switches now and that were not asked for five minutes. Not BROKEN ones. */
export async function pollPower(deps: Pick<RegionDeps, 'db' | 'changes'>): Promise<number> {
  const { rows } = await sql<{ id: number; system_id: string; generation: number }>`
    SELECT id, system_id, generation FROM machines m
    WHERE power_type = ANY(${QUERYABLE_TYPES}) AND status <> 'BROKEN' AND power_want IS NULL
      -- What happened to a machine that is not accepted yet is nobody's business: its BMC is left alone.
      AND NOT (status = 'NEW' AND owner_id IS NULL AND power_state_at IS NULL)
      AND (power_state_at IS NULL OR power_state_at < now() - make_interval(secs => ${STALE_SECONDS}))
      AND NOT EXISTS (SELECT 1 FROM rack_work w WHERE w.machine_id = m.id AND w.state <> 'done')
    ORDER BY power_state_at NULLS FIRST LIMIT ${BATCH}`.execute(deps.db);
  let ordered = 0;
  for (const machine of rows) {
    const order = await deps.db.transaction().execute((trx) =>
      orderPower(trx, {
        machineId: machine.id,
        systemId: machine.system_id,
        attemptId: null,
        generation: machine.generation,
        action: 'query',
        soft: false,
        bootFrom: null,
      }),
    );
    if (order === null) break;
    if (order.isNew) ordered += 1;
  }
  if (ordered > 0) deps.changes.announce();
  return ordered;
}
