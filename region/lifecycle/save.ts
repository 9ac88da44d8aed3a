import type { Attempt, MachineState } from '@ingot/core/machine/model.ts';
import { type RawBuilder, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';
import type { LoadedMachine } from './load.ts';

const date = (instant: number | null) => (instant === null ? null : new Date(instant));

/**
 * Writes the decided state over the loaded row: the row itself, its attempt, the attempt's phases. `closed` is the attempt
 * that a new one took the place of.
 */
export async function saveMachine(
  trx: Transaction<Tables>,
  loaded: LoadedMachine,
  after: MachineState,
  closed: Attempt | undefined,
): Promise<void> {
  const { row, state: before, now } = loaded;
  await closeReplaced(trx, before.attempt, closed, after, now);
  await withdrawOrders(trx, row.id, before, after);
  await saveAttempt(trx, loaded, before.attempt, after);
  await trx
    .updateTable('machines')
    .set((eb) => ({
      ...columnsOf(after, now),
      ...(after.powerState === before.powerState ? {} : { power_state_at: new Date(now) }),
      erase: JSON.stringify(after.erase),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', row.id)
    .execute();
}

/** Columns of the state, `erase` apart, which is JSON. */
function columnsOf(after: MachineState, now: number) {
  return {
    status: after.status,
    previous_status: after.previousStatus,
    status_since: new Date(after.statusSince),
    owner_id: after.owner?.id ?? null,
    locked: after.locked,
    dynamic: after.dynamic,
    agent_name: after.agentName,
    error_description: after.errorDescription,
    power_state: after.powerState,
    power_want: after.powerWant,
    power_soft: after.powerSoft,
    power_tries: after.powerTries,
    generation: after.generation,
    next_at: date(after.nextAt),
    boot_target: after.bootTarget,
    waiting_code: after.waitingFor?.code ?? null,
    waiting_since: date(after.waitingFor?.since ?? null),
    waiting_deadline: date(after.waitingFor?.deadline ?? null),
    attempt_id: after.attempt?.id ?? null,
    enlisting: after.enlisting,
    netboot: after.netboot,
    osystem: after.osystem,
    distro_series: after.distroSeries,
    hwe_kernel: after.hweKernel,
    enable_ssh: after.enableSsh,
    skip_networking: after.skipNetworking,
    skip_storage: after.skipStorage,
    skip_bmc_config: after.skipBmcConfig,
    ephemeral_deploy: after.ephemeralDeploy,
    updated: new Date(now),
  };
}

/** All of them. */
const COLUMNS = [
  'status',
  'previous_status',
  'status_since',
  'owner_id',
  'locked',
  'dynamic',
  'agent_name',
  'error_description',
  'power_state',
  'power_want',
  'power_soft',
  'power_tries',
  'generation',
  'next_at',
  'boot_target',
  'waiting_code',
  'waiting_since',
  'waiting_deadline',
  'attempt_id',
  'enlisting',
  'netboot',
  'osystem',
  'distro_series',
  'hwe_kernel',
  'enable_ssh',
  'skip_networking',
  'skip_storage',
  'skip_bmc_config',
  'ephemeral_deploy',
  'updated',
  'erase',
] as const satisfies readonly (keyof ReturnType<typeof columnsOf> | 'erase')[];

/** The decision changed the row alone: no attempt, no want and nothing that is stamped beside it. */
export function isRowOnly({ state }: LoadedMachine, after: MachineState, closed: Attempt | undefined): boolean {
  const same = state.attempt === after.attempt && state.powerWant === after.powerWant;
  return same && state.generation === after.generation && state.powerState === after.powerState && closed === undefined;
}

/** Writes many such rows, as one statement whose text does not depend on their number; the same columns as saveMachine. */
export function savingRows(saved: readonly { loaded: LoadedMachine; after: MachineState }[]): RawBuilder<unknown> {
  const rows = saved.map(({ loaded, after }) => ({
    id: loaded.row.id,
    ...columnsOf(after, loaded.now),
    erase: after.erase,
  }));
  const targets = sql.join(COLUMNS.map((name) => sql.ref(name)));
  const values = sql.join(COLUMNS.map((name) => sql.ref(`r.${name}`)));
  return sql`
    UPDATE machines m SET (${targets}, version) = ROW(${values}, m.version + 1)
    FROM jsonb_populate_recordset(NULL::machines, ${JSON.stringify(rows)}::jsonb) r WHERE m.id = r.id`;
}

/**
 * Orders for a want that is no more are not sent (again): a rack that comes back after days must not switch a machine
 * that somebody works on. An answer to one that was under way still comes in and is recorded as late.
 */
async function withdrawOrders(
  trx: Transaction<Tables>,
  machineId: number,
  before: MachineState,
  after: MachineState,
): Promise<void> {
  if (before.powerWant === null || (after.powerWant !== null && after.generation === before.generation)) return;
  await trx
    .updateTable('rack_work')
    .set({ state: 'done', finished: sql<Date>`now()` })
    .where('machine_id', '=', machineId)
    .where('state', '<>', 'done')
    .where('action', '<>', 'query')
    .execute();
}

/** At most one attempt is open: the one that made place ends with what the decision says of it. */
async function closeReplaced(
  trx: Transaction<Tables>,
  before: Attempt | null,
  closed: Attempt | undefined,
  after: MachineState,
  now: number,
): Promise<void> {
  if (!before || before.endedAt !== null || before.id === after.attempt?.id) return;
  const end = closed?.id === before.id ? closed : null;
  const endedAt = end?.endedAt ?? now;
  await trx
    .updateTable('attempts')
    .set({
      ended: new Date(endedAt),
      outcome: end?.outcome ?? 'aborted',
      failure: end?.failure ? JSON.stringify(end.failure) : null,
      deadline: null,
    })
    .where('id', '=', before.id)
    .execute();
  await closePhases(trx, before.id, endedAt, before);
}

async function saveAttempt(
  trx: Transaction<Tables>,
  { row }: LoadedMachine,
  before: Attempt | null,
  after: MachineState,
): Promise<void> {
  const { attempt } = after;
  if (!attempt) return;
  const values = {
    started: new Date(attempt.startedAt),
    ended: date(attempt.endedAt),
    outcome: attempt.outcome,
    failure: attempt.failure === null ? null : JSON.stringify(attempt.failure),
    phase: attempt.phase,
    phase_since: new Date(attempt.phaseSince),
    deadline: date(attempt.deadline),
    last_evidence: attempt.lastEvidence === null ? null : JSON.stringify(attempt.lastEvidence),
    agent_seen: attempt.agentSeen,
  };
  const isNew = before?.id !== attempt.id;
  if (isNew) {
    const { systemId: system_id, hostname } = after;
    const { id, kind } = attempt;
    await trx
      .insertInto('attempts')
      .values({ ...values, id, kind, machine_id: row.id, system_id, hostname })
      .execute();
  } else {
    await trx.updateTable('attempts').set(values).where('id', '=', attempt.id).execute();
  }
  if (isNew || before.phase !== attempt.phase) {
    // In one statement: a fleet at work changes phases hundreds of times a second.
    const closed = closing(attempt.id, attempt.phaseSince, isNew ? null : before);
    await sql`
      WITH closed AS (${closed})
      INSERT INTO attempt_phases (attempt_id, name, started)
      VALUES (${attempt.id}, ${attempt.phase}, ${new Date(attempt.phaseSince)})`.execute(trx);
  }
  if (attempt.endedAt !== null && (isNew || before.endedAt === null))
    await closePhases(trx, attempt.id, attempt.endedAt, isNew ? null : before);
}

/**
 * Ends the open phase and says how much of it was ours: of a script or step, what its tool did not take; of `power`, all
 * of it (from the request until the BMC has done it); of `agent`, what followed the agent's session.
 */
async function closePhases(
  trx: Transaction<Tables>,
  attemptId: number,
  at: number,
  before: Attempt | null,
): Promise<void> {
  await closing(attemptId, at, before).execute(trx);
}

function closing(attemptId: number, at: number, before: Attempt | null) {
  return sql`
    UPDATE attempt_phases SET ended = ${new Date(at)}, own_ms = CASE
      WHEN tool_ms IS NOT NULL THEN greatest(0, extract(epoch FROM ${new Date(at)} - started) * 1000 - tool_ms)::integer
      WHEN name = ${before?.phase ?? ''} THEN ${ownTime(before, at)}::integer
      END
    WHERE attempt_id = ${attemptId} AND ended IS NULL`;
}

/** Milliseconds of the attempt's present phase, ended at `at`, that were our own; null where nothing of it is. */
function ownTime(attempt: Attempt | null, at: number): number | null {
  if (attempt?.phase === 'power') return Math.max(0, at - attempt.phaseSince);
  if (attempt?.phase === 'agent' && attempt.agentSeen) return Math.max(0, at - attempt.phaseSince);
  return null;
}
