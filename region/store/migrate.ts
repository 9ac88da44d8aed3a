import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { clientConfig, type DatabaseAddress } from './database.ts';

/** Any constant of our own: all region processes must agree on it. */
const LOCK_KEY = 0x1460_7001;
const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

export interface Migration {
  number: number;
  name: string;
  sql: string;
  sha256: string;
}

/** Reads NNNN-name.sql files of a directory; numbers must run 1, 2, 3 … without a gap. */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()) {
    const match = FILE_NAME.exec(file);
    if (!match) throw new Error(`${file} in ${directory} is not named NNNN-name.sql`);
    const sql = await readFile(path.join(directory, file), 'utf8');
    const number = Number(match[1]);
    if (number !== migrations.length + 1)
      throw new Error(`migration ${migrations.length + 1} is missing in ${directory}`);
    migrations.push({ number, name: match[2] ?? '', sql, sha256: createHash('sha256').update(sql).digest('hex') });
  }
  if (migrations.length === 0) throw new Error(`no migrations in ${directory}`);
  return migrations;
}

/**
 * Brings the schema up to the newest migration: under an advisory lock, each in one transaction with its checksum.
 * Refuses a schema newer than this program and a migration whose text changed after it was applied.
 * Returns the numbers applied now.
 */
export async function migrate(address: DatabaseAddress, directory: string): Promise<number[]> {
  const migrations = await readMigrations(directory);
  const client = new pg.Client({ ...clientConfig(address), application_name: 'ingot migrate' });
  // A server that ends meanwhile fails the statement that runs; it must not end the process as well.
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Another process may be at it; a migration is short, so two minutes mean that something is wrong.
    await client.query("SET lock_timeout = '120s'");
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied timestamptz NOT NULL DEFAULT now())`);
    const { rows } = await client.query<{ number: number; name: string; sha256: string }>(
      'SELECT number, name, sha256 FROM schema_migrations ORDER BY number',
    );
    check(migrations, rows);
    const applied: number[] = [];
    for (const migration of migrations.slice(rows.length)) {
      await applyOne(client, migration);
      applied.push(migration.number);
    }
    return applied;
  } finally {
    await client.end();
  }
}

/** How many migrations the database still lacks; -1 when it is newer than this program. 0 = ready to serve. */
export async function missingMigrations(address: DatabaseAddress, directory: string): Promise<number> {
  const known = (await readMigrations(directory)).length;
  const client = new pg.Client({ ...clientConfig(address), application_name: 'ingot' });
  await client.connect();
  try {
    const table = await client.query<{ there: string | null }>(
      "SELECT to_regclass('schema_migrations')::text AS there",
    );
    if (!table.rows[0]?.there) return known;
    const { rows } = await client.query<{ newest: number | null }>(
      'SELECT max(number) AS newest FROM schema_migrations',
    );
    const newest = rows[0]?.newest ?? 0;
    return newest > known ? -1 : known - newest;
  } finally {
    await client.end();
  }
}

function check(migrations: Migration[], applied: { number: number; name: string; sha256: string }[]): void {
  const newest = applied.at(-1)?.number ?? 0;
  if (newest > migrations.length) {
    throw new Error(
      `the database has schema ${newest}, this program knows ${migrations.length}: start the newer Ingot that made it`,
    );
  }
  for (const row of applied) {
    const known = migrations[row.number - 1];
    if (known?.sha256 !== row.sha256) {
      throw new Error(
        `migration ${row.number} (${row.name}) was applied with another text than this program has: use the program ` +
          'that made this database, or a fresh database',
      );
    }
  }
}

async function applyOne(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)', [
      migration.number,
      migration.name,
      migration.sha256,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`migration ${migration.number} (${migration.name}) failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
