import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Sealer } from '../deps.ts';
import { type PrivateCluster, startPrivateCluster } from '../postgres/cluster.ts';
import { type Database, type DatabaseAddress, openDatabase } from '../store/database.ts';
import { migrate, missingMigrations } from '../store/migrate.ts';
import { createSealer, loadKey } from '../store/sealer.ts';

export interface StateOptions {
  stateDir: string;
  databaseUrl: string | null;
  /** Directory of NNNN-name.sql files. */
  migrations: string;
  /** Migrate a database of the user's own too; the private cluster is always migrated. */
  migrateOwn: boolean;
  name: string;
  log: Logger;
  /** Gives up while it is opening: a server this call has started is stopped, and with it what runs there. */
  signal?: AbortSignal;
}

export interface OpenState extends Database {
  /**
   * The same database for what people and their programs ask: while a thousand machines report, all connections of the
   * other pool are taken, and a read would wait for them.
   */
  people: Database;
  address: DatabaseAddress;
  sealer: Sealer;
  cluster: PrivateCluster | null;
}

/** Connections of this process to PostgreSQL, each some megabytes there. */
const FOR_MACHINES = 7;
const FOR_PEOPLE = 5;

/** Opens what a region keeps: cluster or the user's database, schema, key. */
export async function openState(options: StateOptions): Promise<OpenState> {
  const { stateDir, databaseUrl, log, signal } = options;
  await mkdir(path.join(stateDir, 'run'), { recursive: true });
  const cluster = databaseUrl === null ? await startPrivateCluster({ stateDir, log, signal }) : null;
  const giveUp = () => void (cluster && !cluster.adopted && cluster.stop());
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const address = cluster ?? databaseUrl;
    if (address === null) throw new Error('neither a cluster nor a database was given');
    await bringUp(address, options, cluster !== null);
    const onIdleError = (error: Error) => log.warn({ error: error.message }, 'a database connection broke');
    const database = openDatabase(address, { name: options.name, connections: FOR_MACHINES, onIdleError });
    const people = openDatabase(address, { name: `${options.name} people`, connections: FOR_PEOPLE, onIdleError });
    const somebody = await database.db
      .selectFrom('users')
      .select('id')
      .where('is_system', '=', false)
      .executeTakeFirst();
    // With people there are secrets, and those were sealed with a key that must not be made up anew.
    const key = await loadKey(stateDir, { create: somebody === undefined });
    signal?.throwIfAborted();
    return { ...database, people, address, sealer: createSealer(key), cluster };
  } catch (error) {
    if (cluster && !cluster.adopted) await cluster.stop();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** Migrates the private cluster, and a database of the user's own where that is wanted; else says what it lacks. */
export async function bringUp(address: DatabaseAddress, options: StateOptions, isPrivate: boolean): Promise<void> {
  if (!isPrivate && !options.migrateOwn) {
    const missing = await missingMigrations(address, options.migrations);
    if (missing < 0) throw new Error('the database is newer than this program: start the newer Ingot that made it');
    if (missing > 0)
      throw new Error(`the database lacks ${missing} migrations: run ingot region migrate --database URL`);
    return;
  }
  const applied = await migrate(address, options.migrations);
  if (applied.length > 0) options.log.info({ applied }, 'migrated the schema');
}

/** Closes the pool, and stops the server if this process started it (`ours`) or owns it by its role (`owner`). */
export async function closeState(state: OpenState, role: 'owner' | 'guest'): Promise<void> {
  await Promise.all([state.db.destroy(), state.people.db.destroy()]);
  if (state.cluster && (role === 'owner' || !state.cluster.adopted)) await state.cluster.stop();
}
