import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { preparing } from './prepared.ts';
import type { Tables } from './schema.ts';

/** Where PostgreSQL is: a URL of the operator's server, or the unix socket of the private cluster. */
export type DatabaseAddress = string | { socketDir: string; user: string; database: string };

export interface DatabaseOptions {
  /** Shown in pg_stat_activity. */
  name: string;
  /** Connections of this process; default 12. */
  connections?: number;
  /** Longest a statement may run, ms; default 15,000. */
  statementTimeoutMs?: number;
  /** Told of connections that break outside a query (server restarted); the pool replaces them. */
  onIdleError?: (error: Error) => void;
}

export interface Database {
  db: Kysely<Tables>;
  pool: pg.Pool;
}

const INT8 = 20;
const NUMERIC = 1700;

/** int8 and the numeric that sum(int8) yields are whole numbers below 2^53 in our schema, so they are read as numbers. */
const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if ((oid === INT8 || oid === NUMERIC) && format !== 'binary') return Number;
    return pg.types.getTypeParser(oid, format);
  },
};

/** Connection settings without a pool, for a dedicated client (LISTEN, migrations). */
export function clientConfig(address: DatabaseAddress): pg.ClientConfig {
  const target =
    typeof address === 'string'
      ? { connectionString: address }
      : { host: address.socketDir, user: address.user, database: address.database };
  return { ...target, types: typeParsers, connectionTimeoutMillis: 5000, keepAlive: true };
}

/** Opens a pool and Kysely over it. Nothing is connected until the first query. Close with `db.destroy()`. */
export function openDatabase(address: DatabaseAddress, options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...clientConfig(address),
    application_name: options.name,
    max: options.connections ?? 12,
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementTimeoutMs ?? 15_000,
    idle_in_transaction_session_timeout: 15_000,
    lock_timeout: 10_000,
  });
  // A connection can break at any moment, also while it is lent and no query runs (kill -9 of the server): without a
  // listener of its own that would end the process. The query that meets it fails, and the pool drops it.
  pool.on('connect', (client) => client.on('error', (error: Error) => options.onIdleError?.(error)));
  // The same once more, of those that are not lent.
  pool.on('error', () => undefined);
  return { db: new Kysely<Tables>({ dialect: new PostgresDialect({ pool: preparing(pool) }) }), pool };
}
