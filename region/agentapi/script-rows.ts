import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { RESULT_STATUS, SET_COLUMN, type SetKind, UNFINISHED } from '../lifecycle/result-status.ts';
import type { Tables } from '../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

export interface ResultRow {
  id: number;
  name: string;
  builtin: boolean;
  hardwareType: number;
  parallel: number;
  timeoutSeconds: number;
  parameters: unknown;
  status: number;
  /** Kernel name of the disk it is for. */
  disk: string | null;
}

/** Hardware first, the machine as a whole last; among them those that want the machine for themselves. */
function order(a: ResultRow, b: ResultRow): number {
  const rank = (row: ResultRow) => (row.hardwareType === 0 ? 99 : row.hardwareType);
  const parallel = (row: ResultRow) => row.parallel;
  return parallel(a) - parallel(b) || rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id);
}

/** Results of the machine's current set of a kind, in the order in which they run. */
export async function resultsOfSet(db: Db, machineId: number, kind: SetKind): Promise<ResultRow[]> {
  const rows = await db
    .selectFrom('script_results as r')
    .innerJoin('machines as m', `m.${SET_COLUMN[kind]}`, 'r.set_id')
    .leftJoin('block_devices as d', 'd.id', 'r.block_device_id')
    .select([
      'r.id',
      'r.name',
      'r.builtin',
      'r.hardware_type',
      'r.parallel',
      'r.timeout_seconds',
      'r.parameters',
      'r.status',
      'd.name as disk',
    ])
    .where('m.id', '=', machineId)
    .execute();
  return rows
    .map((row) => ({
      id: row.id,
      name: row.name,
      builtin: row.builtin,
      hardwareType: row.hardware_type,
      parallel: row.parallel,
      timeoutSeconds: row.timeout_seconds,
      parameters: row.parameters,
      status: row.status,
      disk: row.disk,
    }))
    .sort(order);
}

export function isUnfinished(row: ResultRow): boolean {
  return UNFINISHED.includes(row.status);
}

/** A result of one of the machine's current sets, with the set's kind; null for any other. */
export async function currentResult(
  db: Db,
  machineId: number,
  resultId: number,
): Promise<{
  id: number;
  setId: number;
  name: string;
  status: number;
  timeoutSeconds: number;
  disk: string | null;
} | null> {
  const row = await db
    .selectFrom('script_results as r')
    .innerJoin('script_sets as s', 's.id', 'r.set_id')
    .innerJoin('machines as m', 'm.id', 's.machine_id')
    .leftJoin('block_devices as d', 'd.id', 'r.block_device_id')
    .select(['r.id', 'r.set_id', 'r.name', 'r.status', 'r.timeout_seconds', 'd.name as disk'])
    .where('r.id', '=', resultId)
    .where('m.id', '=', machineId)
    .where(
      sql<boolean>`s.id IN (m.set_commissioning, m.set_testing, m.set_installation, m.set_release, m.set_deployment)`,
    )
    .executeTakeFirst();
  if (!row) return null;
  const { id, set_id, name, status, timeout_seconds, disk } = row;
  return { id, setId: set_id, name, status, timeoutSeconds: timeout_seconds, disk };
}

/** A pending result is under way. */
export function starting(resultId: number): RawBuilder<unknown> {
  return sql`
    UPDATE script_results SET status = ${RESULT_STATUS.running}, started = coalesce(started, now()), updated = now()
    WHERE id = ${resultId} AND status = ${RESULT_STATUS.pending}`;
}

export interface FinishedResult {
  status: number;
  exitStatus: number;
  seconds: number;
  output: Buffer;
  stdout: Buffer;
  stderr: Buffer;
  result: Buffer;
}

export function finishing(resultId: number, finished: FinishedResult): RawBuilder<unknown> {
  const { status, exitStatus, seconds, output, stdout, stderr, result } = finished;
  return sql`
    UPDATE script_results SET status = ${status}, exit_status = ${exitStatus}, ended = now(), updated = now(),
      started = coalesce(started, now() - ${seconds}::double precision * interval '1 second'),
      output = ${output}, stdout = ${stdout}, stderr = ${stderr}, result = ${result}
    WHERE id = ${resultId}`;
}

/** The agent is alive: the machine's current sets have heard from it now, or within the last five seconds. */
export function pinging(machineId: number): RawBuilder<unknown> {
  return sql`
    UPDATE script_sets s SET last_ping = now() FROM machines m
    WHERE m.id = ${machineId} AND s.machine_id = m.id
      AND s.id IN (m.set_commissioning, m.set_testing, m.set_installation, m.set_release, m.set_deployment)
      AND (s.last_ping IS NULL OR s.last_ping < now() - interval '5 seconds')`;
}

/**
 * Bytes of the attempt's present phase, for progress bars. True when they have grown and the phase's deadline comes near
 * (less than 20 minutes), so that it should be moved on.
 */
export async function notePhaseBytes(
  db: Db,
  attemptId: number,
  phase: string,
  bytes: { done: number; total: number | null },
): Promise<boolean> {
  const done = Math.round(bytes.done);
  const total = bytes.total === null ? null : Math.round(bytes.total);
  const { rows } = await sql<{ near: boolean }>`
    UPDATE attempt_phases p SET bytes_done = ${done}, bytes_total = ${total} FROM attempts a
    WHERE p.attempt_id = ${attemptId} AND p.name = ${phase} AND p.ended IS NULL AND a.id = p.attempt_id
      AND (p.bytes_done IS NULL OR p.bytes_done < ${done})
    RETURNING a.deadline < now() + interval '20 minutes' AS near`.execute(db);
  return rows[0]?.near === true;
}

/** What the tool of a phase took by itself: when the phase ends, the rest of its time was spent waiting for Ingot. */
export function notingToolTime(attemptId: number, phase: string, seconds: number): RawBuilder<unknown> {
  return sql`
    UPDATE attempt_phases SET tool_ms = ${Math.round(seconds * 1000)}::integer
    WHERE attempt_id = ${attemptId} AND name = ${phase} AND ended IS NULL`;
}
