import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type PrivateCluster, startPrivateCluster } from './cluster.ts';
import { isAlive, waitGone } from './running-server.ts';

const log = pino({ level: 'silent' });
let stateDir: string;
let running: PrivateCluster | null;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-cluster-'));
  running = null;
});
afterEach(async () => {
  await running?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function start(): Promise<PrivateCluster> {
  running = await startPrivateCluster({ stateDir, log });
  return running;
}

async function query(cluster: PrivateCluster, sql: string) {
  const { socketDir: host, user, database } = cluster;
  const client = new pg.Client({ host, user, database });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}

test('makes a durable server without TCP, and starts it again with its data', async () => {
  const first = await start();
  await query(first, 'CREATE TABLE kept (id integer)');
  const [settings] = await query(
    first,
    "SELECT current_setting('fsync') AS fsync, current_setting('listen_addresses') AS tcp",
  );
  expect(settings).toEqual({ fsync: 'on', tcp: '' });
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  const second = await start();
  expect(await query(second, 'SELECT * FROM kept')).toEqual([]);
});

test('a start that is given up leaves neither a server nor half a cluster', async () => {
  const given = new AbortController();
  const starting = startPrivateCluster({ stateDir, log, signal: given.signal });
  const postgres = path.join(stateDir, 'postgres');
  const halfMade = async () => (await readdir(postgres).catch(() => [])).filter((name) => name.includes('.new-'));
  await vi.waitFor(async () => expect(await halfMade()).toHaveLength(1), { timeout: 20_000, interval: 5 });
  given.abort();
  await expect(starting).rejects.toThrow();
  expect(await halfMade()).toEqual([]);
  expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

/**
 * @fault A region is killed with -9 and leaves its PostgreSQL running.
 * @sees The next start takes no longer than any other.
 * @ends The new region takes the running server over.
 */
test('takes over the server that a killed region left running', async () => {
  const first = await start();
  const second = await start();
  expect(second).toMatchObject({ pid: first.pid, adopted: true });
});

/**
 * @fault PostgreSQL is killed with -9.
 * @sees The API is away until the server has recovered.
 * @ends The server starts again with what was committed.
 */
test('starts after a kill -9 of the server', async () => {
  const first = await start();
  process.kill(first.pid, 'SIGKILL');
  await waitGone(first.pid, 5000);
  const second = await start();
  expect(second.adopted).toBe(false);
  expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test("is not fooled by a stale pid file whose number is another program's", async () => {
  const first = await start();
  await first.stop();
  const dataDir = path.join(stateDir, 'postgres', '15');
  await writeFile(path.join(dataDir, 'postmaster.pid'), `${process.pid}\n${dataDir}\n`);
  const second = await start();
  expect(second.adopted).toBe(false);
});
