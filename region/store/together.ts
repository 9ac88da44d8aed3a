import { type RawBuilder, sql } from 'kysely';

/**
 * Writing statements as one, which costs one round trip and one plan. None of them sees what another writes, and no row may
 * be touched by two of them. References between what they write are checked when all are through.
 */
export function together(statements: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  const last = statements.at(-1);
  if (last === undefined) throw new Error('no statement');
  const others = statements.slice(0, -1).map((one, at) => sql`${sql.ref(`w${at}`)} AS (${one})`);
  return others.length === 0 ? last : sql`WITH ${sql.join(others)} ${last}`;
}
