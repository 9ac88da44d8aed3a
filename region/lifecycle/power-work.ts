import type { PowerOutcome } from '@ingot/contract/rack.ts';
import type { PowerState } from '@ingot/core/machine/model.ts';
import { sql, type Transaction } from 'kysely';
import type { Applied, RegionDeps } from '../deps.ts';
import { NotFound } from '../store/not-found.ts';
import type { Tables } from '../store/schema.ts';
import { Column } from './machine-row.ts';
import { orderPower } from './order-power.ts';

type Deps = Pick<RegionDeps, 'db' | 'door' | 'changes'>;

/**
 * Takes a rack's answer to an order: marks the order done and applies the answer to the machine, in one transaction, so
 * a repeated answer (the rack repeats until it is acknowledged) does nothing. Null when there was nothing to apply.
 */
export async function completePowerWork(deps: Deps, workId: number, outcome: PowerOutcome): Promise<Applied | null> {
  const work = await deps.db
    .selectFrom('rack_work as w')
    .leftJoin('machines as m', 'm.id', 'w.machine_id')
    .select(['w.rack_id', 'w.action', 'w.attempt_id', 'w.generation', 'w.outcome', 'w.machine_id', 'm.system_id'])
    .where('w.id', '=', workId)
    .executeTakeFirst();
  if (!work || work.outcome !== null) return null;
  const { system_id, machine_id } = work;
  if (system_id === null || machine_id === null) {
    await finish(deps.db, workId, outcome);
    return null;
  }
  const actor = { kind: 'rack', rackId: work.rack_id } as const;
  if (work.action === 'query') {
    const state = outcome.ok ? outcome.state : 'error';
    return deps.door.apply(system_id, { type: 'power-observed', actor, state }, undefined, async (trx) => {
      if (!(await finish(trx, workId, outcome))) return false;
      await trx
        .updateTable('machines')
        .set({ power_state_at: sql<Date>`now()` })
        .where('id', '=', machine_id)
        .execute();
      return true;
    });
  }
  const { attempt_id: attemptId, generation } = work;
  const command = { type: 'power-result', actor, attemptId, generation, outcome } as const;
  return deps.door.apply(system_id, command, undefined, (trx) => finish(trx, workId, outcome));
}

/** False when it was answered already. A withdrawn order is done, and its late answer is still taken. */
async function finish(
  db: RegionDeps['db'] | Transaction<Tables>,
  workId: number,
  outcome: PowerOutcome,
): Promise<boolean> {
  const done = await db
    .updateTable('rack_work')
    .set({ state: 'done', finished: sql<Date>`now()`, outcome: JSON.stringify(outcome) })
    .where('id', '=', workId)
    .where('outcome', 'is', null)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}

const QUERY_POLL_MS = 100;

/**
 * Asks the machine's BMC now. Waits at most `timeoutMs` (default 60 s, as MAAS does) and answers with the state then
 * stored; 'unknown' at once for machines whose power cannot be asked. Throws NotFound.
 */
export async function queryPower(deps: Deps, systemId: string, timeoutMs = 60_000): Promise<PowerState> {
  const machine = await deps.db
    .selectFrom('machines')
    .select(['id', 'power_type', 'generation'])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!machine) throw new NotFound('machine', systemId);
  if (machine.power_type === '' || machine.power_type === 'manual') return 'unknown';
  const order = await deps.db.transaction().execute((trx) =>
    orderPower(trx, {
      machineId: machine.id,
      systemId,
      attemptId: null,
      generation: machine.generation,
      action: 'query',
      soft: false,
      bootFrom: null,
    }),
  );
  if (!order) return 'unknown';
  deps.changes.announce();
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const work = await deps.db.selectFrom('rack_work').select('state').where('id', '=', order.id).executeTakeFirst();
    if (!work || work.state === 'done') break;
    await new Promise((resolve) => setTimeout(resolve, QUERY_POLL_MS));
  }
  const after = await deps.db
    .selectFrom('machines')
    .select('power_state')
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  return Column.powerState.parse(after?.power_state ?? 'unknown');
}
