import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import type pg from 'pg';
import { isPlanOutdated, isStatementUnknown } from './pg-error.ts';

/** Asked this often, a statement is worth a place in every connection's memory. */
const WORTH_NAMING = 20;
/** Each takes some 90 KB of the process of each connection that has asked it. The 150 commonest make 97 % of what a busy site asks. */
const MOST_NAMED = 150;
const MOST_COUNTED = 2000;
/** Long ones are lists of values, which hardly ever come again. */
const LONGEST = 8000;
/** BEGIN and its like are cheaper as they are. */
const NAMEABLE = /^\s*(select|insert|update|delete|with)\s/i;

/** Gives the name of a statement, or nothing for one that is not worth it (yet). */
export interface StatementNames {
  nameOf(text: string): string | undefined;
  /** From now on nothing has a name: somebody between us and the server hands our connections about. */
  giveUp(): void;
}

export function statementNames(): StatementNames {
  const seen = new Map<string, number>();
  const names = new Map<string, string>();
  let given = true;
  return {
    nameOf(text) {
      if (!given || text.length > LONGEST) return undefined;
      const known = names.get(text);
      if (known !== undefined) return known;
      if (names.size >= MOST_NAMED) return undefined;
      const times = (seen.get(text) ?? 0) + 1;
      if (times < WORTH_NAMING) {
        if (seen.size >= MOST_COUNTED) seen.clear();
        seen.set(text, times);
        return undefined;
      }
      seen.delete(text);
      const name = `ingot_${names.size}`;
      names.set(text, name);
      return name;
    },
    giveUp() {
      given = false;
    },
  };
}

/**
 * The pool for Kysely, with statements that come often prepared: each connection has the server parse and plan them once
 * instead of every time, which is more than half of what a short one costs it. A connection whose plans a migration of another
 * region process made invalid is closed after the statement that met it.
 */
export function preparing(pool: pg.Pool, names: StatementNames = statementNames()): PostgresPool {
  return { connect: async () => naming(await pool.connect(), names), end: () => pool.end() };
}

function naming(client: pg.PoolClient, names: StatementNames): PostgresPoolClient {
  let isUseless = false;
  async function ask<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const name = NAMEABLE.test(text) ? names.nameOf(text) : undefined;
    try {
      const { command, rowCount, rows } = await client.query({ text, values: [...parameters], name });
      return { command: commandOf(command), rowCount: rowCount ?? 0, rows };
    } catch (error) {
      if (isPlanOutdated(error)) isUseless = true;
      if (isStatementUnknown(error)) {
        isUseless = true;
        names.giveUp();
      }
      throw error;
    }
  }
  function query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query<R>(
    what: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof what !== 'string') throw new Error('this pool has no cursors; rows are streamed by COPY');
    return ask<R>(what, parameters);
  }
  return { query, release: () => client.release(isUseless) };
}

/** What Kysely counts the changed rows of; anything else is as SELECT to it. */
function commandOf(command: string): PostgresQueryResult<unknown>['command'] {
  return command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
    ? command
    : 'SELECT';
}
