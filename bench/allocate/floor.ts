import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { psql } from '../fleet/psql.ts';

const run = promisify(execFile);
const LIMIT_MS = 120_000;

/** The least that a grant can be: one row of a narrow table, the cheapest free one, taken by one statement. */
const GRANT = `UPDATE bench_floor SET owner = 1 WHERE id =
  (SELECT id FROM bench_floor WHERE owner IS NULL ORDER BY cost, id LIMIT 1 FOR UPDATE SKIP LOCKED);
`;

/** Grants a second of pgbench with so many clients (at most 32) in the same PostgreSQL, over the unix socket. */
export async function floorGrants(
  socketDir: string,
  scratch: string,
  clients: number,
  grants: number,
): Promise<number> {
  await psql(
    socketDir,
    `DROP TABLE IF EXISTS bench_floor;
    CREATE TABLE bench_floor (id integer PRIMARY KEY, cost real NOT NULL, owner integer);
    INSERT INTO bench_floor SELECT n, n % 100 FROM generate_series(1, 10000) n;
    CREATE INDEX ON bench_floor (cost, id) WHERE owner IS NULL;
    VACUUM ANALYZE bench_floor;`,
  );
  const script = path.join(scratch, 'grant.sql');
  await writeFile(script, GRANT);
  const { stdout: folder } = await run('pg_config', ['--bindir']).catch(() => ({ stdout: '' }));
  const version = await psql(socketDir, "SELECT current_setting('server_version_num')::int / 10000");
  const found = [path.join(folder.trim(), 'pgbench'), `/usr/lib/postgresql/${version}/bin/pgbench`];
  // The private cluster lets sixty in, and the region has its own.
  const connections = Math.min(clients, 32);
  const each = Math.ceil(grants / connections);
  const args = [
    '-n',
    '-h',
    socketDir,
    '-U',
    'ingot',
    '-c',
    String(connections),
    '-t',
    String(each),
    '-f',
    script,
    'ingot',
  ];
  for (const program of found.filter((name) => path.isAbsolute(name))) {
    const answer = await run(program, args, { timeout: LIMIT_MS }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    const rate = /^tps = ([\d.]+)/m.exec(answer?.stdout ?? '')?.[1];
    if (rate !== undefined) return Number(rate);
  }
  throw new Error(`pgbench is not there: ${found.join(', ')}`);
}
