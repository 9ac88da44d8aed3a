import { sql } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { Change, ChangeFeed } from '../deps.ts';
import { clientConfig, type Database, type DatabaseAddress } from './database.ts';

const CHANNEL = 'ingot_changes';
const POLL_MS = 250;
/** Batches to a subscriber are at least this far apart. */
const COALESCE_MS = 50;
const PAGE = 5000;
/** How long rows of `changes` are kept. */
export const CHANGES_KEPT_MS = 3_600_000;
const RECONNECT_MS = 2000;

const Kind = z.enum(['machine', 'gone', 'attempt', 'network', 'image', 'settings']);

interface Position {
  xid: string;
  id: number;
}

interface Row {
  xid: string;
  id: number;
  kind: string;
  key: string;
}

/** "(xid,id)" → position; null for any other text. */
function parseCursor(text: string): Position | null {
  const match = /^\((\d{1,19}),(\d{1,15})\)$/.exec(text);
  return match?.[1] && match[2] ? { xid: match[1], id: Number(match[2]) } : null;
}

const formatCursor = ({ xid, id }: Position) => `(${xid},${id})`;

export interface RunningChangeFeed extends ChangeFeed {
  stop(): Promise<void>;
}

/**
 * Delivers rows of `changes` in the order (xid, id), only those of transactions below the oldest one still running: a
 * transaction that began early and commits late can therefore never be skipped. Woken by NOTIFY, and every 250 ms besides.
 * Starts at the present end. Fails when the first read fails.
 */
export async function startChangeFeed(
  { db, pool }: Database,
  address: DatabaseAddress,
  log: Logger,
): Promise<RunningChangeFeed> {
  const listeners = new Set<(changes: Change[]) => void>();
  const origin = await present();
  const startedAt = performance.now();
  let position = origin;
  let stopped = false;
  let reading: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let lastDelivery = 0;
  let listening: pg.Client | null = null;
  let notifyPending = false;

  async function present(): Promise<Position> {
    const { rows } = await sql<{ xmin: string }>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin`.execute(
      db,
    );
    // Everything below xmin counts as seen: (xmin, 0) lies before the first row that is still to come.
    return { xid: rows[0]?.xmin ?? '0', id: 0 };
  }

  async function page(after: Position): Promise<Row[]> {
    const { rows } = await sql<Row>`
      SELECT xid::text AS xid, id, kind, key FROM changes
      WHERE (xid, id) > (${after.xid}::xid8, ${after.id}::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY changes.xid, id LIMIT ${PAGE}`.execute(db);
    return rows;
  }

  /** Every row after the cursor is still there. Rows are kept for an hour (see lifecycle/cleanup.ts). */
  async function isComplete(after: Position): Promise<boolean> {
    if (formatCursor(after) === formatCursor(position)) return true;
    const isOurs = BigInt(after.xid) >= BigInt(origin.xid);
    if (isOurs && performance.now() - startedAt < CHANGES_KEPT_MS) return true;
    const { rows } = await sql<{ complete: boolean }>`
      SELECT (xid, id) <= (${after.xid}::xid8, ${after.id}::bigint) AS complete
      FROM changes ORDER BY changes.xid, id LIMIT 1`.execute(db);
    return rows[0]?.complete ?? false;
  }

  function toChange(row: Row): Change[] {
    const kind = Kind.safeParse(row.kind);
    return kind.success ? [{ cursor: formatCursor(row), kind: kind.data, key: row.key }] : [];
  }

  async function read(): Promise<void> {
    for (;;) {
      const rows = await page(position);
      const last = rows.at(-1);
      if (!last) return;
      position = { xid: last.xid, id: last.id };
      lastDelivery = performance.now();
      const changes = rows.flatMap(toChange);
      for (const listener of listeners) {
        try {
          listener(changes);
        } catch (error) {
          log.error({ err: error }, 'a listener of the change feed failed');
        }
      }
      if (rows.length < PAGE) return;
    }
  }

  function schedule(delay: number): void {
    if (stopped) return;
    if (timer) clearTimeout(timer);
    timer = setTimeout(tick, delay);
  }

  function tick(): void {
    timer = null;
    reading ??= read()
      .catch((error: unknown) => log.warn({ err: error }, 'reading changes failed; trying again'))
      .finally(() => {
        reading = null;
        schedule(POLL_MS);
      });
  }

  function wake(): void {
    if (!reading) schedule(Math.max(0, lastDelivery + COALESCE_MS - performance.now()));
  }

  async function listen(): Promise<void> {
    if (stopped) return;
    const client = new pg.Client({ ...clientConfig(address), application_name: 'ingot changes' });
    const again = () => {
      if (listening !== client) return;
      listening = null;
      if (!stopped) setTimeout(() => void listen(), RECONNECT_MS).unref();
    };
    listening = client;
    client.on('notification', wake);
    client.on('error', again);
    client.on('end', again);
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      log.warn({ err: error }, 'LISTEN failed; changes are polled meanwhile');
      await client.end().catch(() => undefined);
      again();
    }
  }

  await listen();
  schedule(POLL_MS);

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    cursor: () => formatCursor(position),
    async since(cursor) {
      const after = parseCursor(cursor);
      if (!after) return null;
      if (!(await isComplete(after))) return null;
      const changes: Change[] = [];
      for (let start = after; ; ) {
        const batch = await page(start);
        changes.push(...batch.flatMap(toChange));
        const last = batch.at(-1);
        if (!last || batch.length < PAGE) return changes;
        start = { xid: last.xid, id: last.id };
      }
    },
    announce() {
      if (notifyPending || stopped) return;
      notifyPending = true;
      setTimeout(() => {
        notifyPending = false;
        if (stopped) return;
        wake();
        pool.query(`NOTIFY ${CHANNEL}`).catch((error: unknown) => log.debug({ err: error }, 'NOTIFY failed'));
      }, COALESCE_MS / 5);
    },
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await reading;
      const client = listening;
      listening = null;
      await client?.end().catch(() => undefined);
    },
  };
}
