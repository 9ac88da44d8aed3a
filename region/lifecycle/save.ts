import type { Attempt, MachineState } from '@ingot/core/machine/model.ts';
import { type RawBuilder, sql } from 'kysely';
import { storableJson } from '../store/storable.ts';
import type { LoadedMachine } from './load.ts';

const date = (instant: number | null) => (instant === null ? null : new Date(instant));

/**
 * Writes the decided state over the loaded row: the row itself, its attempt, the attempt's phases. `closed` is the attempt
 * that a new one took the place of. Statements that touch different rows, to go as one (see together.ts): a fleet at work
 * changes phases hundreds of times a second.
 */
export function saving(loaded: LoadedMachine, after: MachineState, closed: Attempt | undefined): RawBuilder<unknown>[] {
  const { row, state: before, now } = loaded;
  return [
    ...closeReplaced(before.attempt, closed, after, now),
    ...withdrawOrders(row.id, before, after),
    ...savingAttempt(row.id, before.attempt, after),
    savingRows([{ loaded, after }]),
  ];
}

/** Columns of the state. */
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
    erase: after.erase,
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
] as const satisfies readonly (keyof ReturnType<typeof columnsOf>)[];

/** The decision changed the row alone: no attempt, no want and nothing that is stamped beside it. */
export function isRowOnly({ state }: LoadedMachine, after: MachineState, closed: Attempt | undefined): boolean {
  const same = state.attempt === after.attempt && state.powerWant === after.powerWant;
  return same && state.generation === after.generation && state.powerState === after.powerState && closed === undefined;
}

/** Writes the rows themselves, as one statement whose text does not depend on their number. */
export function savingRows(saved: readonly { loaded: LoadedMachine; after: MachineState }[]): RawBuilder<unknown> {
  const rows = saved.map(({ loaded, after }) => ({ id: loaded.row.id, ...columnsOf(after, loaded.now) }));
  const targets = sql.join(COLUMNS.map((name) => sql.ref(name)));
  const values = sql.join(COLUMNS.map((name) => sql.ref(`r.${name}`)));
  return sql`
    UPDATE machines m SET (${targets}, version, power_state_at) = ROW(${values}, m.version + 1,
      CASE WHEN m.power_state = r.power_state THEN m.power_state_at ELSE r.updated END)
    FROM jsonb_populate_recordset(NULL::machines, ${storableJson(rows)}::jsonb) r WHERE m.id = r.id`;
}

/**
 * Orders for a want that is no more are not sent (again): a rack that comes back after days must not switch a machine
 * that somebody works on. An answer to one that was under way still comes in and is recorded as late.
 */
function withdrawOrders(machineId: number, before: MachineState, after: MachineState): RawBuilder<unknown>[] {
  if (before.powerWant === null || (after.powerWant !== null && after.generation === before.generation)) return [];
  return [
    sql`UPDATE rack_work SET state = 'done', finished = now()
      WHERE machine_id = ${machineId} AND state <> 'done' AND action <> 'query'`,
  ];
}

/** At most one attempt is open: the one that made place ends with what the decision says of it. */
function closeReplaced(
  before: Attempt | null,
  closed: Attempt | undefined,
  after: MachineState,
  now: number,
): RawBuilder<unknown>[] {
  if (!before || before.endedAt !== null || before.id === after.attempt?.id) return [];
  const end = closed?.id === before.id ? closed : null;
  const endedAt = end?.endedAt ?? now;
  return [
    sql`UPDATE attempts SET ended = ${new Date(endedAt)}, outcome = ${end?.outcome ?? 'aborted'},
      failure = ${json(end?.failure ?? null)}::jsonb, deadline = NULL WHERE id = ${before.id}`,
    closing(before.id, endedAt, before),
  ];
}

const json = (value: unknown) => (value === null ? null : storableJson(value));

function savingAttempt(machineId: number, before: Attempt | null, after: MachineState): RawBuilder<unknown>[] {
  const { attempt } = after;
  if (!attempt) return [];
  const known = before?.id === attempt.id ? before : null;
  const written = attemptRow(machineId, after, attempt, known !== null);
  const endsNow = attempt.endedAt !== null && (known === null || known.endedAt === null);
  const ended = endsNow ? attempt.endedAt : null;
  if (known?.phase === attempt.phase) {
    return ended === null ? [written] : [written, closing(attempt.id, ended, known)];
  }
  const phase = sql`INSERT INTO attempt_phases (attempt_id, name, started, ended)
    VALUES (${attempt.id}, ${attempt.phase}, ${new Date(attempt.phaseSince)}, ${date(ended)})`;
  return known === null ? [written, phase] : [written, closing(attempt.id, attempt.phaseSince, known), phase];
}

function attemptRow(machineId: number, after: MachineState, attempt: Attempt, isKnown: boolean): RawBuilder<unknown> {
  const columns = sql`started, ended, outcome, failure, phase, phase_since, deadline, last_evidence, agent_seen`;
  const values = sql`${new Date(attempt.startedAt)}::timestamptz, ${date(attempt.endedAt)}::timestamptz, ${attempt.outcome},
    ${json(attempt.failure)}::jsonb, ${attempt.phase}, ${new Date(attempt.phaseSince)}::timestamptz,
    ${date(attempt.deadline)}::timestamptz, ${json(attempt.lastEvidence)}::jsonb, ${attempt.agentSeen}::boolean`;
  if (isKnown) return sql`UPDATE attempts SET (${columns}) = ROW(${values}) WHERE id = ${attempt.id}`;
  return sql`INSERT INTO attempts (id, kind, machine_id, system_id, hostname, ${columns})
    VALUES (${attempt.id}, ${attempt.kind}, ${machineId}, ${after.systemId}, ${after.hostname}, ${values})`;
}

/**
 * Ends the open phase and says how much of it was ours: of a script or step, what its tool did not take; of `power`, all
 * of it (from the request until the BMC has done it); of `agent`, what followed the agent's session.
 */
function closing(attemptId: number, at: number, before: Attempt | null): RawBuilder<unknown> {
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
