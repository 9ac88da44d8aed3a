import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createUser } from '../accounts/users.ts';
import { MIGRATIONS, silentLog, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { closeState, openState } from './open-state.ts';

let cluster: TestCluster;
let stateDir: string;
let databaseUrl: string;
beforeAll(async () => {
  cluster = await startTestCluster();
  stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-state-'));
  const { socketDir, user } = cluster.cluster;
  const admin = new pg.Client({ host: socketDir, user, database: 'postgres' });
  await admin.connect();
  await admin.query('CREATE DATABASE theirs');
  await admin.end();
  databaseUrl = `postgres://${user}@/theirs?host=${encodeURIComponent(socketDir)}`;
});
afterAll(async () => {
  await cluster.close();
  await rm(stateDir, { recursive: true });
});

const open = (migrateOwn: boolean, dir = stateDir) =>
  openState({ stateDir: dir, databaseUrl, migrations: MIGRATIONS, migrateOwn, name: 'test', log: silentLog });

test("a database of the user's own is migrated only when asked, and its key is not made up a second time", async () => {
  await expect(open(false)).rejects.toThrow(/run ingot region migrate/);
  const state = await open(true);
  await createUser(state, { username: 'first', password: 'x', isAdmin: true });
  await closeState(state, 'guest');
  await closeState(await open(false), 'guest');
  const elsewhere = path.join(stateDir, 'elsewhere');
  await expect(open(false, elsewhere)).rejects.toThrow(/put back the key/);
});
