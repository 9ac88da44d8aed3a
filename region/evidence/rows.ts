import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';
import { storable, storableJson } from '../store/storable.ts';

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
  if (rows.length > 0) await appending(rows).execute(db);
}

/** The same as a statement, to go with others. */
export function appending(rows: readonly EvidenceRow[]): RawBuilder<unknown> {
  const column = <Value>(value: (row: EvidenceRow) => Value) => rows.map(value);
  // Of each attempt's rows only as many as there is room for, the first ones first.
  return sql`
    INSERT INTO evidence (attempt_id, system_id, mac, at, phase, kind, text, data)
    SELECT attempt_id, system_id, mac, now() - ago * interval '1 millisecond', phase, kind, text, data::jsonb
    FROM (SELECT r.*, row_number() OVER (PARTITION BY attempt_id ORDER BY nth) AS place
      FROM unnest(${column((row) => row.attemptId)}::bigint[], ${column((row) => row.systemId)}::text[],
        ${column((row) => row.mac)}::text[], ${column((row) => Math.max(0, Math.round(row.agoMs)))}::float8[],
        ${column((row) => row.phase)}::text[], ${column((row) => row.kind)}::text[],
        ${column((row) => storable(row.text))}::text[], ${column((row) => storableJson(row.data))}::text[])
        WITH ORDINALITY AS r(attempt_id, system_id, mac, ago, phase, kind, text, data, nth)) n
    WHERE attempt_id IS NULL
      OR place + (SELECT count(*) FROM evidence e WHERE e.attempt_id = n.attempt_id) <= ${EVIDENCE_PER_ATTEMPT}
    ORDER BY nth`;
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
    UPDATE attempts SET last_evidence = jsonb_build_object('kind', ${kind}::text, 'text', ${storable(text)}::text, 'at',
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
