import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { type PrivateCluster, startPrivateCluster } from '../postgres/cluster.ts';
import { type Database, type DatabaseAddress, openDatabase } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';

const TEMPLATE = 'ingot_template';
export const MIGRATIONS = path.resolve(import.meta.dirname, '../store/migrations');
export const silentLog = pino({ level: 'silent' });

export interface TestCluster {
  stateDir: string;
  cluster: PrivateCluster;
  /** A fresh database with the whole schema, and a pool on it. */
  database(): Promise<Database & { address: DatabaseAddress; name: string }>;
  /** Closes every pool it gave, stops the server, removes the directory. */
  close(): Promise<void>;
}

/**
 * A PostgreSQL server of our own in a temporary directory, for the tests of one file:
 * `const pg = await startTestCluster()` in beforeAll, `await pg.close()` in afterAll. About 2 s.
 */
export async function startTestCluster(): Promise<TestCluster> {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-pg-'));
  const cluster = await startPrivateCluster({ stateDir, log: silentLog, durable: false });
  const at = (database: string) => ({ socketDir: cluster.socketDir, user: cluster.user, database });
  const admin = new pg.Client({ host: cluster.socketDir, user: cluster.user, database: 'postgres' });
  // A test may kill the server.
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await migrate(at(TEMPLATE), MIGRATIONS);
  const opened: Database[] = [];
  return {
    stateDir,
    cluster,
    async database() {
      const name = `test_${opened.length}`;
      await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      const database = openDatabase(at(name), { name: `test ${name}` });
      opened.push(database);
      return { ...database, address: at(name), name };
    },
    async close() {
      for (const database of opened) await database.db.destroy();
      await admin.end().catch(() => undefined);
      await cluster.stop();
      // Processes of a server that a test killed may write for a moment longer.
      await rm(stateDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
