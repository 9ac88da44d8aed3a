import { QUERYABLE_TYPES } from '@ingot/core/power/power-types.ts';
import * as z from 'zod';
import type { RegionDeps } from '../../deps.ts';
import { orderPower } from '../../lifecycle/order-power.ts';
import { MaasError, unavailable } from '../wire/errors.ts';

/** As long as upstream waits. */
const LONGEST_WAIT_MS = 60_000;
const LOOK_EVERY_MS = 200;

const Outcome = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), state: z.enum(['on', 'off', 'unknown', 'error']) }),
  z.object({ ok: z.literal(false), message: z.string() }),
]);

/**
 * Asks the machine's BMC now, through a rack. `unknown` for a power type that cannot be asked. Throws 503 without a
 * connected rack or with the BMC's error, 504 when no answer came in a minute.
 */
export async function queryPower(deps: RegionDeps, machine: { id: number; system_id: string }): Promise<string> {
  const row = await deps.db
    .selectFrom('machines')
    .select(['power_type', 'generation'])
    .where('id', '=', machine.id)
    .executeTakeFirstOrThrow();
  if (!QUERYABLE_TYPES.includes(row.power_type)) return 'unknown';
  const order = await deps.db.transaction().execute((trx) =>
    orderPower(trx, {
      machineId: machine.id,
      systemId: machine.system_id,
      attemptId: null,
      generation: row.generation,
      action: 'query',
      soft: false,
      bootFrom: null,
    }),
  );
  if (order === null) throw unavailable('No rack is connected that could reach the BMC of the machine.');
  deps.changes.announce();
  const deadline = Date.now() + LONGEST_WAIT_MS;
  while (Date.now() < deadline) {
    const work = await deps.db
      .selectFrom('rack_work')
      .select(['state', 'outcome'])
      .where('id', '=', order.id)
      .executeTakeFirst();
    if (work === undefined || work.state === 'done') return stateOf(work?.outcome);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new MaasError(504, 'The rack did not answer the power query in time.');
}

function stateOf(outcome: unknown): string {
  const parsed = Outcome.safeParse(outcome);
  if (!parsed.success) return 'unknown';
  if (!parsed.data.ok) throw new MaasError(503, parsed.data.message);
  return parsed.data.state;
}
