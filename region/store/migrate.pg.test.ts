import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { migrate, readMigrations } from './migrate.ts';

let cluster: TestCluster;
let scratch: string;
beforeAll(async () => {
  cluster = await startTestCluster();
  scratch = await mkdtemp(path.join(os.tmpdir(), 'ingot-migrations-'));
}, 60_000);
afterAll(async () => {
  await cluster.close();
  await rm(scratch, { recursive: true, force: true });
});

async function copyOfMigrations(name: string) {
  const directory = path.join(scratch, name);
  await cp(MIGRATIONS, directory, { recursive: true });
  return { directory, count: (await readMigrations(directory)).length };
}

test('a second run applies nothing, and seeds the default zone, pool and system user once', async () => {
  const { address, db } = await cluster.database();
  expect(await migrate(address, MIGRATIONS)).toEqual([]);
  expect(await db.selectFrom('zones').select('name').execute()).toEqual([{ name: 'default' }]);
  expect(await db.selectFrom('users').select('username').execute()).toEqual([{ username: 'MAAS' }]);
});

test('a migration whose text changed after it was applied is refused', async () => {
  const { address } = await cluster.database();
  const { directory, count } = await copyOfMigrations('changed');
  const last = (await readMigrations(directory)).at(-1);
  const file = path.join(directory, `${String(count).padStart(4, '0')}-${last?.name}.sql`);
  await writeFile(file, `${last?.sql}\n-- edited`);
  await expect(migrate(address, directory)).rejects.toThrow(/applied with another text/);
});

test('a failing migration leaves nothing behind, and a schema newer than the program is refused', async () => {
  const { address, db } = await cluster.database();
  const { directory, count } = await copyOfMigrations('newer');
  const next = path.join(directory, `${String(count + 1).padStart(4, '0')}-more.sql`);
  await writeFile(next, 'CREATE TABLE half_done (id integer); SELECT 1/0;');
  await expect(migrate(address, directory)).rejects.toThrow(/division by zero/);
  const { rows } = await sql<{ there: string | null }>`SELECT to_regclass('half_done')::text AS there`.execute(db);
  expect(rows).toEqual([{ there: null }]);
  await writeFile(next, 'CREATE TABLE whole (id integer)');
  expect(await migrate(address, directory)).toEqual([count + 1]);
  await expect(migrate(address, MIGRATIONS)).rejects.toThrow(/start the newer Ingot/);
});

test('two processes that migrate at once do it once', async () => {
  const { address } = await cluster.database();
  const { directory, count } = await copyOfMigrations('both');
  await writeFile(
    path.join(directory, `${String(count + 1).padStart(4, '0')}-more.sql`),
    'CREATE TABLE once (id integer)',
  );
  const applied = await Promise.all([migrate(address, directory), migrate(address, directory)]);
  expect(applied.flat()).toEqual([count + 1]);
});
