import type { Kysely, Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Tables } from '../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

/** Most evidence that one attempt keeps. What comes after is counted by nobody and dropped. */
const EVIDENCE_PER_ATTEMPT = 2000;
/** Evidence of machines that nobody knows (yet) is kept for a day, and never more than this. */
const UNATTACHED_ROWS = 20_000;

export interface EvidenceRow {
  attemptId: number | null;
  systemId: string | null;
  mac: string;
  /** Milliseconds before now. */
  agoMs: number;
  phase: string;
  kind: string;
  text: string;
  data: Record<string, unknown>;
}

/** Appends evidence, at most EVIDENCE_PER_ATTEMPT rows an attempt. Takes no lock on any machine. */
export async function appendEvidence(db: Db, rows: readonly EvidenceRow[]): Promise<void> {
  const attempts = [...new Set(rows.flatMap((row) => (row.attemptId === null ? [] : [row.attemptId])))];
  const room = new Map<number, number>(attempts.map((id) => [id, EVIDENCE_PER_ATTEMPT]));
  if (attempts.length > 0) {
    const counts = await db
      .selectFrom('evidence')
      .select(['attempt_id', (eb) => eb.fn.countAll<number>().as('n')])
      .where('attempt_id', 'in', attempts)
      .groupBy('attempt_id')
      .execute();
    for (const { attempt_id, n } of counts) {
      if (attempt_id !== null) room.set(attempt_id, EVIDENCE_PER_ATTEMPT - Number(n));
    }
  }
  const kept = rows.filter((row) => {
    if (row.attemptId === null) return true;
    const left = room.get(row.attemptId) ?? 0;
    room.set(row.attemptId, left - 1);
    return left > 0;
  });
  if (kept.length === 0) return;
  await db
    .insertInto('evidence')
    .values(
      kept.map((row) => ({
        attempt_id: row.attemptId,
        system_id: row.systemId,
        mac: row.mac,
        at: sql<Date>`now() - ${Math.max(0, Math.round(row.agoMs))}::double precision * interval '1 millisecond'`,
        phase: row.phase,
        kind: row.kind,
        text: row.text,
        data: JSON.stringify(row.data),
      })),
    )
    .execute();
}

/** Gives an enlistment the evidence that was seen of its MACs in the hour before, while nobody knew the machine. */
export async function attachEvidence(
  db: Db,
  to: { attemptId: number; systemId: string },
  macs: readonly string[],
): Promise<void> {
  await db
    .updateTable('evidence')
    .set({ attempt_id: to.attemptId, system_id: to.systemId })
    .where('attempt_id', 'is', null)
    .where('mac', 'in', [...macs])
    .where('at', '>', sql<Date>`now() - interval '1 hour'`)
    .execute();
}

/** Forgets evidence that never found its machine. Called now and then, not per request. */
export async function pruneUnattached(db: Db): Promise<void> {
  await sql`
    DELETE FROM evidence WHERE attempt_id IS NULL AND (
      at < now() - interval '1 day'
      OR id < (SELECT id FROM evidence WHERE attempt_id IS NULL ORDER BY id DESC OFFSET ${UNATTACHED_ROWS} LIMIT 1)
    )`.execute(db);
}

export interface KnownAttempt {
  id: number;
  systemId: string;
  phase: string;
  ended: boolean;
}

/** Attempts by id. */
export async function attemptsById(db: Db, ids: readonly number[]): Promise<Map<number, KnownAttempt>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('attempts')
    .select(['id', 'system_id', 'phase', 'ended'])
    .where('id', 'in', [...ids])
    .execute();
  return new Map(
    rows.map((row) => [row.id, { id: row.id, systemId: row.system_id, phase: row.phase, ended: row.ended !== null }]),
  );
}

export interface MacOwner {
  systemId: string;
  attemptId: number | null;
}

/** The machines that physical interfaces with these MACs belong to, with their open attempt. */
export async function ownersByMac(db: Db, macs: readonly string[]): Promise<Map<string, MacOwner>> {
  if (macs.length === 0) return new Map();
  const rows = await db
    .selectFrom('interfaces')
    .innerJoin('machines', 'machines.id', 'interfaces.machine_id')
    .leftJoin('attempts', (join) =>
      join.onRef('attempts.id', '=', 'machines.attempt_id').on('attempts.ended', 'is', null),
    )
    .select(['interfaces.mac', 'machines.system_id', 'attempts.id as attempt_id'])
    .where('interfaces.mac', 'in', [...macs])
    .where('interfaces.type', '=', 'physical')
    .execute();
  return new Map(rows.map((row) => [row.mac ?? '', { systemId: row.system_id, attemptId: row.attempt_id }]));
}

/** The newest evidence stands on the attempt itself, so that a missed deadline can name it at once. */
export async function noteNewest(db: Db, attemptId: number, kind: string, text: string, agoMs: number): Promise<void> {
  await sql`
    UPDATE attempts SET last_evidence = jsonb_build_object('kind', ${kind}::text, 'text', ${text}::text, 'at',
      (extract(epoch FROM now()) * 1000)::bigint - ${Math.max(0, Math.round(agoMs))}::bigint)
    WHERE id = ${attemptId} AND ended IS NULL`.execute(db);
}

/** Tells streams that attempts have something new to show. */
export async function markAttemptsChanged(db: Db, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .insertInto('changes')
    .values(ids.map((id) => ({ kind: 'attempt', key: String(id) })))
    .execute();
}

/** What the catalogue calls these blobs, and how large they are. */
export async function imageFiles(
  db: Db,
  sums: readonly string[],
): Promise<Map<string, { filetype: string; size: number }>> {
  if (sums.length === 0) return new Map();
  const rows = await db
    .selectFrom('image_files')
    .select(['sha256', 'filetype', 'size'])
    .where('sha256', 'in', [...sums])
    .execute();
  return new Map(rows.map(({ sha256, filetype, size }) => [sha256, { filetype, size }]));
}
