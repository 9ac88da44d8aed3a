/** SQLSTATEs that we act upon. */
export const UNIQUE_VIOLATION = '23505';
export const EXCLUSION_VIOLATION = '23P01';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';

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
  return state === SERIALIZATION_FAILURE || state === DEADLOCK_DETECTED || state === EXCLUSION_VIOLATION;
}

/**
 * Why a value cannot be stored, in the server's words (SQLSTATE class 22: a NUL in a text, a number out of range); null
 * for any other error. Values of people and programs are checked before, but not each against each column's alphabet.
 */
export function unstorable(error: unknown): string | null {
  return sqlState(error)?.startsWith('22') && error instanceof Error ? error.message : null;
}
