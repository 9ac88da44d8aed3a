import { type AttemptView, type EvidenceView, FailureView, type PhaseView } from '@ingot/contract/native.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import { inOneMoment } from '../../store/one-moment.ts';
import type { Tables } from '../../store/schema.ts';
import type { Typical, TypicalTimes } from './typical.ts';

type Db = Kysely<Tables>;
type Moment = Transaction<Tables>;

interface AttemptRow {
  id: number;
  system_id: string;
  kind: string;
  started: Date;
  ended: Date | null;
  outcome: string | null;
  failure: unknown;
  deadline: Date | null;
}

const COLUMNS = ['id', 'system_id', 'kind', 'started', 'ended', 'outcome', 'failure', 'deadline'] as const;
const KEPT = 20;
const EVIDENCE_PAGE = 500;

/** The newest attempt of each machine, by system_id. Two queries, however many machines. */
export async function newestAttempts(
  moment: Moment,
  times: Typical,
  systemIds: readonly string[],
  now: number,
): Promise<Map<string, AttemptView>> {
  if (systemIds.length === 0) return new Map();
  const rows = await moment
    .selectFrom('attempts')
    .distinctOn('system_id')
    .select(COLUMNS)
    .where(sql<boolean>`system_id = ANY(${systemIds})`)
    .orderBy('system_id')
    .orderBy('id', 'desc')
    .execute();
  const views = await viewsOf(moment, times, rows, now);
  return new Map(views.map((view) => [view.systemId, view]));
}

/** Newest first, the 20 that are kept. */
export async function attemptsOf(db: Db, typical: TypicalTimes, systemId: string, now: number): Promise<AttemptView[]> {
  const times = await typical.read(now);
  return inOneMoment(db, async (moment) => {
    const rows = await moment
      .selectFrom('attempts')
      .select(COLUMNS)
      .where('system_id', '=', systemId)
      .orderBy('id', 'desc')
      .limit(KEPT)
      .execute();
    return viewsOf(moment, times, rows, now);
  });
}

export async function attemptsById(
  moment: Moment,
  times: Typical,
  ids: readonly number[],
  now: number,
): Promise<AttemptView[]> {
  if (ids.length === 0) return [];
  const rows = await moment.selectFrom('attempts').select(COLUMNS).where(sql<boolean>`id = ANY(${ids})`).execute();
  return viewsOf(moment, times, rows, now);
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

async function viewsOf(
  moment: Moment,
  times: Typical,
  rows: readonly AttemptRow[],
  now: number,
): Promise<AttemptView[]> {
  const ids = rows.map((row) => row.id);
  const phases = await moment
    .selectFrom('attempt_phases')
    .select(['attempt_id', 'name', 'started', 'ended', 'own_ms', 'bytes_done', 'bytes_total'])
    .where(sql<boolean>`attempt_id = ANY(${ids})`)
    .orderBy('id')
    .execute();
  const byAttempt = grouped(phases, (phase) => phase.attempt_id);
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    systemId: row.system_id,
    startedAt: row.started.toISOString(),
    endedAt: row.ended?.toISOString() ?? null,
    outcome: outcomeOf(row.outcome),
    failure: FailureView.nullable().catch(null).parse(row.failure),
    phases: (byAttempt.get(row.id) ?? []).map(
      (phase): PhaseView => ({
        name: phase.name,
        startedAt: phase.started.toISOString(),
        endedAt: phase.ended?.toISOString() ?? null,
        seconds: Math.max(0, ((phase.ended?.getTime() ?? now) - phase.started.getTime()) / 1000),
        typicalSeconds: times(row.kind, phase.name),
        deadline: phase.ended === null && row.ended === null ? (row.deadline?.toISOString() ?? null) : null,
        ownSeconds: phase.own_ms === null ? null : phase.own_ms / 1000,
        bytesDone: phase.bytes_done,
        bytesTotal: phase.bytes_total,
      }),
    ),
  }));
}

function outcomeOf(text: string | null): AttemptView['outcome'] {
  return text === 'passed' || text === 'failed' || text === 'aborted' ? text : null;
}

function grouped<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
