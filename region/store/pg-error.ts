/** SQLSTATEs that we act upon. */
export const UNIQUE_VIOLATION = '23505';
export const EXCLUSION_VIOLATION = '23P01';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';
const NOT_SUPPORTED = '0A000';
const NO_SUCH_STATEMENT = '26000';
const STATEMENT_EXISTS = '42P05';

/** SQLSTATE of a PostgreSQL error, null for anything else. */
export function sqlState(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  return typeof error.code === 'string' && error.code.length === 5 ? error.code : null;
}

/** Name of the violated constraint, if the server told it. */
export function violatedConstraint(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('constraint' in error)) return null;
  return typeof error.constraint === 'string' ? error.constraint : null;
}

/**
 * The same transaction, run again, can succeed: it met another one. An exclusion violation counts, since addresses are
 * chosen from what was free a moment before.
 */
export function isWorthRetrying(error: unknown): boolean {
  const state = sqlState(error);
  const met = state === SERIALIZATION_FAILURE || state === DEADLOCK_DETECTED || state === EXCLUSION_VIOLATION;
  return met || isPlanOutdated(error);
}

/** A prepared statement that shows other columns since somebody changed a table: another connection prepares it anew. */
export function isPlanOutdated(error: unknown): boolean {
  return sqlState(error) === NOT_SUPPORTED && error instanceof Error && /cached plan/.test(error.message);
}

/** What was prepared on this connection is not there, or what was not is: a pooler gave us another one's. */
export function isStatementUnknown(error: unknown): boolean {
  const state = sqlState(error);
  return state === NO_SUCH_STATEMENT || state === STATEMENT_EXISTS;
}

/**
 * Why a value cannot be stored, in the server's words (SQLSTATE class 22: a NUL in a text, a number out of range); null
 * for any other error. Values of people and programs are checked before, but not each against each column's alphabet.
 */
export function unstorable(error: unknown): string | null {
  return sqlState(error)?.startsWith('22') && error instanceof Error ? error.message : null;
}

/** SQLSTATE classes of a connection that broke or was refused (08), of a server that stops or starts (57P01 … 57P03), and of one that has no connection left. */
const AWAY = /^(08...|57P0[1-3]|53300)$/;
const FULL = '53100';
/** What Node and the client say when there is no server, or no longer. */
const BROKEN =
  /ECONNREFUSED|ECONNRESET|ENOENT.*PGSQL|EPIPE|Connection terminated|timeout (exceeded )?when trying to connect/;

export interface DatabaseTrouble {
  code: 'database.away' | 'database.full';
  why: string;
}

/** The database is not there, or has no room: nothing is wrong with the request, and it may be sent again. Null for any other error. */
export function databaseTrouble(error: unknown): DatabaseTrouble | null {
  if (!(error instanceof Error)) return null;
  const state = sqlState(error) ?? '';
  if (state === FULL) return { code: 'database.full', why: error.message };
  const isGone = /not queryable|Client was closed/.test(error.message);
  const isPast = isPlanOutdated(error) || isStatementUnknown(error);
  const isAway =
    AWAY.test(state) ||
    isGone ||
    isPast ||
    BROKEN.test(`${'code' in error ? String(error.code) : ''} ${error.message}`);
  return isAway ? { code: 'database.away', why: error.message } : null;
}
