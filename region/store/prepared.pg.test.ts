import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { isWorthRetrying } from './pg-error.ts';
import { statementNames } from './prepared.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(async () => cluster?.close());

it('names what comes often, keeps a name, and never names more than it may', () => {
  const names = statementNames();
  const often = (text: string) => Array.from({ length: 30 }, () => names.nameOf(text)).at(-1);
  expect(names.nameOf('select 1')).toBeUndefined();
  const first = often('select 1');
  expect(first).toBeDefined();
  expect(often('select 2')).not.toBe(first);
  expect(names.nameOf('select 1')).toBe(first);
  for (let n = 0; n < 500; n += 1) often(`select ${n} as n`);
  const given = Array.from({ length: 500 }, (_, n) => names.nameOf(`select ${n} as n`));
  expect(given.filter((name) => name !== undefined).length).toBe(148);
  expect(often(`select ${'1,'.repeat(5000)} 1`)).toBeUndefined();
  names.giveUp();
  expect(names.nameOf('select 1')).toBeUndefined();
});

it('a table that another process changed costs one try, and the connection after it works', async () => {
  const { db } = await cluster.database();
  await sql`CREATE TABLE grown (id integer)`.execute(db);
  await sql`INSERT INTO grown VALUES (7)`.execute(db);
  const read = async (id: number) => (await sql`SELECT * FROM grown WHERE id = ${id}`.execute(db)).rows;
  for (let n = 0; n < 40; n += 1) await read(7);
  const { rows: prepared } = await sql`SELECT name FROM pg_prepared_statements WHERE statement LIKE '%grown%'`.execute(
    db,
  );
  expect(prepared).toHaveLength(1);
  await sql`ALTER TABLE grown ADD COLUMN more text`.execute(db);
  const error = await read(7).catch((reason: unknown) => reason);
  expect(isWorthRetrying(error)).toBe(true);
  expect(await read(7)).toEqual([{ id: 7, more: null }]);
});
