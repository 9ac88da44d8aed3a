import { type Kysely, sql } from 'kysely';
import { batched } from '../../store/batched.ts';
import { isWorthRetrying, sqlState } from '../../store/pg-error.ts';
import type { Tables } from '../../store/schema.ts';
import { toJson } from '../wire/json.ts';
import { machineObject } from './body.ts';
import { loadAggregates } from './load.ts';

/** Machines rendered in one transaction: bounds memory and how long marks stay locked. */
const BATCH = 50;
/** Bodies that are waited for. One batch at a time: its queries are paid once for all who come meanwhile. */
const TOGETHER = { size: 32, atOnce: 1 };
const TRIES = 4;
const FOREIGN_KEY_VIOLATION = '23503';

/**
 * Makes the stored bodies of these machines current: every change committed before the call is in them afterwards.
 * Cheap when nothing changed (one query).
 *
 * Why no change is lost: marks are deleted and the machine is read in one snapshot. A writer that commits later appended
 * a mark of its own, which is not seen and stays. Two renderers of one machine meet at the marks: the later one fails to
 * serialize and begins again, on a later snapshot. One snapshot, because statements of their own would each see another
 * moment, and show a status with the script results of the next one.
 */
export async function freshen(db: Kysely<Tables>, ids: readonly number[]): Promise<void> {
  const stale = await staleOf(db, ids);
  for (let start = 0; start < stale.length; start += BATCH) await renderBatch(db, stale.slice(start, start + BATCH));
}

/** Renders what is marked, at most `limit` machines; returns how many. For a worker that keeps readers from doing it. */
export async function drainBodies(db: Kysely<Tables>, limit: number): Promise<number> {
  const rows = await db.selectFrom('body_dirty').select('machine_id').distinct().limit(limit).execute();
  await freshen(
    db,
    rows.map((row) => row.machine_id),
  );
  return rows.length;
}

/** The current body of one machine as JSON text; null when there is no such machine. One query when nothing changed. */
export async function storedBody(db: Kysely<Tables>, machineId: number): Promise<string | null> {
  const stored = await bodyRow(db, machineId);
  if (stored === undefined) return null;
  if (stored.body !== null && !stored.stale) return stored.body;
  await freshen(db, [machineId]);
  return (await bodyRow(db, machineId))?.body ?? null;
}

/** Renderings for callers that wait for them, by database. */
const renderings = new WeakMap<object, (machineId: number) => Promise<string | null>>();

/**
 * The body of a machine that this process has just changed: rendered without asking whether it is stale, together with
 * those that others wait for at the same time. Null when there is no such machine.
 */
export async function bodyAfterChange(db: Kysely<Tables>, machineId: number): Promise<string | null> {
  let render = renderings.get(db);
  if (render === undefined) {
    render = batched(TOGETHER, async (ids) => {
      const bodies = await renderBatch(db, [...new Set(ids)]);
      return ids.map((id) => bodies.get(id) ?? null);
    });
    renderings.set(db, render);
  }
  // Not in the answer: somebody else's rendering took the marks, so what it stored is current.
  return (await render(machineId)) ?? (await storedBody(db, machineId));
}

/** What is stored, and whether a change since then is marked; one statement, so one moment. */
async function bodyRow(db: Kysely<Tables>, machineId: number) {
  return await db
    .selectFrom('machines as m')
    .leftJoin('machine_bodies as b', 'b.machine_id', 'm.id')
    .select(['b.body', isMarked.as('stale')])
    .where('m.id', '=', machineId)
    .executeTakeFirst();
}

/** A mark lies on the machine of alias `m`. */
export const isMarked = sql<boolean>`EXISTS (SELECT 1 FROM body_dirty x WHERE x.machine_id = m.id)`;

async function staleOf(db: Kysely<Tables>, ids: readonly number[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('machines as m')
    .leftJoin('machine_bodies as b', 'b.machine_id', 'm.id')
    .select(['m.id', sql<boolean>`b.body IS NULL`.as('missing')])
    .where('m.id', '=', sql<number>`ANY(${ids}::integer[])`)
    .where((eb) =>
      eb.or([
        eb('b.body', 'is', null),
        eb.exists(eb.selectFrom('body_dirty as x').select('x.id').whereRef('x.machine_id', '=', 'm.id')),
      ]),
    )
    .orderBy('m.id')
    .execute();
  const missing = rows.filter((row) => row.missing).map((row) => ({ machine_id: row.id }));
  // A missing body gets a mark too, so that two first readers also meet.
  if (missing.length > 0) await db.insertInto('body_dirty').values(missing).execute();
  return rows.map((row) => row.id);
}

/** Renders those of the machines that are marked, and gives their bodies. */
async function renderBatch(db: Kysely<Tables>, ids: readonly number[]): Promise<Map<number, string>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((trx) => renderOnce(trx, ids));
    } catch (error) {
      // Another renderer was first, or the machine was deleted: the next try finds the mark or the machine gone.
      const gone = sqlState(error) === FOREIGN_KEY_VIOLATION;
      if (attempt >= TRIES || !(gone || isWorthRetrying(error))) throw error;
    }
  }
}

async function renderOnce(trx: Kysely<Tables>, ids: readonly number[]): Promise<Map<number, string>> {
  const marks = await trx
    .deleteFrom('body_dirty')
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('body_dirty')
        .select('id')
        .where('machine_id', '=', sql<number>`ANY(${ids}::integer[])`)
        .orderBy('id')
        .forUpdate(),
    )
    .returning('machine_id')
    .execute();
  const marked = [...new Set(marks.map((row) => row.machine_id))];
  if (marked.length === 0) return new Map();
  const all = await loadAggregates(trx, marked);
  if (all.machines.length === 0) return new Map();
  const bodies = new Map(all.machines.map((row) => [row.id, toJson(machineObject(all, row))]));
  await trx
    .insertInto('machine_bodies')
    .values([...bodies].map(([machine_id, body]) => ({ machine_id, body })))
    .onConflict((conflict) => conflict.column('machine_id').doUpdateSet((eb) => ({ body: eb.ref('excluded.body') })))
    .execute();
  return bodies;
}
