import { type AttemptView, type EvidenceView, FailureView, type PhaseView } from '@ingot/contract/native.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import type { Typical, TypicalTimes } from './typical.ts';

type Db = Kysely<Tables>;

interface PhaseRow {
  name: string;
  /** Timestamps as PostgreSQL writes them in JSON. */
  started: string;
  ended: string | null;
  own_ms: number | null;
  bytes_done: number | null;
  bytes_total: number | null;
}

/** An attempt with its phases in order, as PHASES gathers them. */
export interface AttemptRow {
  id: number;
  system_id: string;
  kind: string;
  /** A Date of a column, or a text out of JSON. */
  started: Date | string;
  ended: Date | string | null;
  outcome: string | null;
  failure: unknown;
  deadline: Date | string | null;
  phases: PhaseRow[] | null;
}

/** All of an AttemptRow, of the attempt `a`. Its phases come in the same row: each statement costs a turn of the event loop. */
const OWN = 'a.id, a.system_id, a.kind, a.started, a.ended, a.outcome, a.failure, a.deadline';
const PHASES = `(SELECT jsonb_agg(jsonb_build_object('name', p.name, 'started', p.started, 'ended', p.ended, 'own_ms', p.own_ms,
    'bytes_done', p.bytes_done, 'bytes_total', p.bytes_total) ORDER BY p.id)
    FROM attempt_phases p WHERE p.attempt_id = a.id)`;

export const ATTEMPT_COLUMNS = sql.raw(`${OWN}, ${PHASES} AS phases`);
/** Phases only while the attempt runs: of all machines they are most of what there is. */
export const ATTEMPT_COLUMNS_IN_LIST = sql.raw(`${OWN}, CASE WHEN a.ended IS NULL THEN ${PHASES} END AS phases`);

const KEPT = 20;
const EVIDENCE_PAGE = 500;

/** Newest first, the 20 that are kept. */
export async function attemptsOf(db: Db, typical: TypicalTimes, systemId: string, now: number): Promise<AttemptView[]> {
  const times = await typical.read(now);
  const { rows } = await sql<AttemptRow>`
    SELECT ${ATTEMPT_COLUMNS} FROM attempts a WHERE a.system_id = ${systemId} ORDER BY a.id DESC LIMIT ${KEPT}`.execute(
    db,
  );
  return rows.map((row) => attemptView(row, times, now));
}

export async function attemptsById(
  db: Db | Transaction<Tables>,
  times: Typical,
  ids: readonly number[],
  now: number,
): Promise<AttemptView[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<AttemptRow>`
    SELECT ${ATTEMPT_COLUMNS} FROM attempts a WHERE a.id = ANY(${ids}::bigint[])`.execute(db);
  return rows.map((row) => attemptView(row, times, now));
}

/** Oldest first, at most 500 after `after`. Null: no such attempt of this machine. */
export async function evidenceOf(
  db: Db,
  systemId: string,
  attemptId: number,
  after: number,
): Promise<EvidenceView[] | null> {
  const attempt = await db
    .selectFrom('attempts')
    .select('id')
    .where('id', '=', attemptId)
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!attempt) return null;
  const rows = await db
    .selectFrom('evidence')
    .select(['id', 'at', 'phase', 'kind', 'text'])
    .where('attempt_id', '=', attemptId)
    .where('id', '>', after)
    .orderBy('id')
    .limit(EVIDENCE_PAGE)
    .execute();
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}

/** As the API shows it; what still runs, runs until `now`. */
export function attemptView(row: AttemptRow, times: Typical, now: number): AttemptView {
  const deadline = isoOf(row.deadline);
  const phases = row.phases ?? [];
  return {
    id: row.id,
    kind: row.kind,
    systemId: row.system_id,
    startedAt: new Date(row.started).toISOString(),
    endedAt: isoOf(row.ended),
    outcome: outcomeOf(row.outcome),
    failure: row.failure === null ? null : FailureView.nullable().catch(null).parse(row.failure),
    phases: phases.map((phase, index): PhaseView => {
      const started = Date.parse(phase.started);
      const ended = phase.ended === null ? null : Date.parse(phase.ended);
      return {
        name: phase.name,
        startedAt: new Date(started).toISOString(),
        endedAt: ended === null ? null : new Date(ended).toISOString(),
        seconds: Math.max(0, ((ended ?? now) - started) / 1000),
        typicalSeconds: times(row.kind, phase.name, turnOf(phases, index)),
        deadline: ended === null && row.ended === null ? deadline : null,
        ownSeconds: phase.own_ms === null ? null : phase.own_ms / 1000,
        bytesDone: phase.bytes_done,
        bytesTotal: phase.bytes_total,
      };
    }),
  };
}

/** How many of its name come before it. */
const turnOf = (phases: readonly PhaseRow[], index: number): number =>
  phases.slice(0, index).filter((earlier) => earlier.name === phases[index]?.name).length;

const isoOf = (time: Date | string | null): string | null => (time === null ? null : new Date(time).toISOString());

function outcomeOf(text: string | null): AttemptView['outcome'] {
  return text === 'passed' || text === 'failed' || text === 'aborted' ? text : null;
}
