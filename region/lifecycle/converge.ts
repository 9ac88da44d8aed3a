import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { Column } from './machine-row.ts';
import { orderPower } from './order-power.ts';

/** Machines taken at once. */
const BATCH = 50;
/** A dead process's machines are free again after this. Set before any work is done for them. */
const LEASE_SECONDS = 15;
/** While an order is open, it is looked at again this often: its rack may have gone. */
const RECHECK_SECONDS = 5;
/** Without a connected rack. */
const NO_RACK_SECONDS = 2;

type Deps = Pick<RegionDeps, 'db' | 'door' | 'changes' | 'log' | 'process'>;

interface Leased {
  id: number;
  system_id: string;
  attempt_id: number | null;
  generation: number;
  power_want: string | null;
  power_soft: boolean;
  power_type: string;
  boot_target: string;
}

/**
 * One round: leases due machines of which no other live process holds a lease, and does for each the one outstanding
 * step. The lease is committed before anything else. Returns how many machines were taken.
 */
export async function convergeOnce(deps: Deps): Promise<number> {
  const { rows } = await sql<Leased>`
    UPDATE machines SET lease_owner = ${deps.process}, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
    WHERE id IN (
      SELECT id FROM machines
      WHERE next_at <= now() AND (lease_until IS NULL OR lease_until < now())
      ORDER BY next_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING id, system_id, attempt_id, generation, power_want, power_soft, power_type, boot_target`.execute(deps.db);
  for (const machine of rows) {
    try {
      await step(deps, machine);
    } catch (error) {
      // The lease runs out and somebody tries again.
      deps.log.error({ err: error, machine: machine.system_id }, 'a convergence step failed');
    }
  }
  return rows.length;
}

async function step(deps: Deps, machine: Leased): Promise<void> {
  const want = Column.powerWant.parse(machine.power_want);
  if (want === null) return settle(deps, machine, null);
  if (machine.power_type === '' || machine.power_type === 'manual') {
    // A person switches this machine; what can be done from here is done.
    const { attempt_id: attemptId, generation } = machine;
    const outcome = { ok: true, state: 'unknown' } as const;
    await deps.door.apply(machine.system_id, {
      type: 'power-result',
      actor: { kind: 'system' },
      attemptId,
      generation,
      outcome,
    });
    return settle(deps, machine, RECHECK_SECONDS);
  }
  const bootFrom = want !== 'off' && machine.boot_target === 'ephemeral' ? 'network' : null;
  const order = await deps.db.transaction().execute((trx) =>
    orderPower(trx, {
      machineId: machine.id,
      systemId: machine.system_id,
      attemptId: machine.attempt_id,
      generation: machine.generation,
      action: want,
      soft: machine.power_soft,
      bootFrom,
    }),
  );
  if (order?.isNew) deps.changes.announce();
  return settle(deps, machine, order === null ? NO_RACK_SECONDS : RECHECK_SECONDS);
}

/**
 * Gives the lease back and says when to look again, unless a command changed the want meanwhile: then what it says about
 * the next look stands.
 */
async function settle(deps: Deps, machine: Leased, lookAgainSeconds: number | null): Promise<void> {
  const next =
    lookAgainSeconds === null ? sql<Date>`NULL` : sql<Date>`now() + make_interval(secs => ${lookAgainSeconds})`;
  await sql`
    UPDATE machines SET lease_owner = NULL, lease_until = NULL,
      next_at = CASE WHEN generation = ${machine.generation} AND power_want IS NOT DISTINCT FROM ${machine.power_want}
        AND next_at <= now() THEN ${next} ELSE next_at END
    WHERE id = ${machine.id} AND lease_owner = ${deps.process}`.execute(deps.db);
}
