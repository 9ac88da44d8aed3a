import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Logger } from 'pino';
import { findPostgres, type PostgresBinaries } from './binaries.ts';
import { runningServer, waitGone } from './running-server.ts';
import { type ServerUser, serverUser } from './server-user.ts';

const run = promisify(execFile);
const USER = 'ingot';
const DATABASE = 'ingot';
/** Linux' sun_path holds 108 bytes with the closing NUL. */
const SOCKET_PATH_LIMIT = 107;
/** After a crash it first reads its log again, up to 512 MB of it, and syncs every file: on a slow disk that takes minutes. */
const START_DEADLINE_MS = 300_000;
/** A server that ends at once is started again for so long. */
const AGAIN_MS = 10_000;
const LOG_LIMIT = 16 * 1024 * 1024;
/** What an initdb that just lost its parent or its directory writes meanwhile is removed, too; at most 11 s. */
const REMOVE_FROM_WRITERS = { recursive: true, force: true, maxRetries: 10, retryDelay: 200 };

export interface PrivateCluster {
  socketDir: string;
  user: string;
  database: string;
  pid: number;
  /** The server was running already, started by another process of ours. */
  adopted: boolean;
  /** Fast shutdown: open transactions are rolled back. Ends within 10 s, by force if need be. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  stateDir: string;
  log: Logger;
  /** False only in tests: no fsync. */
  durable?: boolean;
  /** Gives the start up: what it has started is ended before the promise rejects. */
  signal?: AbortSignal;
}

/**
 * Starts the PostgreSQL server of this state directory: DIR/postgres/MAJOR for data, DIR/run/pg for its socket, no TCP.
 * Makes the cluster and the database `ingot` when there are none; takes over a server that a killed region left running.
 */
export async function startPrivateCluster(options: ClusterOptions): Promise<PrivateCluster> {
  const { stateDir, log } = options;
  const user = await serverUser();
  const existing = await existingMajor(stateDir);
  const binaries = await findPostgres(existing);
  const dataDir = path.join(stateDir, 'postgres', String(binaries.major));
  const socketDir = path.join(stateDir, 'run', 'pg');
  if (Buffer.byteLength(path.join(socketDir, '.s.PGSQL.5432')) > SOCKET_PATH_LIMIT) {
    throw new Error(
      `the path of the state directory is too long for a unix socket: ${stateDir}; choose a shorter --state`,
    );
  }
  await prepareDirectories(stateDir, dataDir, socketDir, user);
  if (existing === null) await initialise(binaries, dataDir, user, options);
  const running = await adopt(dataDir, socketDir, log);
  const pid = running ?? (await start(binaries, dataDir, socketDir, user, options));
  try {
    await ensureDatabase(socketDir);
    options.signal?.throwIfAborted();
  } catch (error) {
    if (running === null) await stop(pid, log);
    throw error;
  }
  return { socketDir, user: USER, database: DATABASE, pid, adopted: running !== null, stop: () => stop(pid, log) };
}

async function existingMajor(stateDir: string): Promise<number | null> {
  for (let major = 30; major >= 15; major -= 1) {
    const version = await readFile(path.join(stateDir, 'postgres', String(major), 'PG_VERSION'), 'utf8').catch(
      () => '',
    );
    if (Number(version.trim()) === major) return major;
  }
  return null;
}

async function prepareDirectories(stateDir: string, dataDir: string, socketDir: string, user: ServerUser | null) {
  const holders = [stateDir, path.join(stateDir, 'run'), path.join(stateDir, 'postgres'), path.join(stateDir, 'log')];
  for (const directory of holders) await mkdir(directory, { recursive: true });
  for (const directory of [dataDir, socketDir]) await mkdir(directory, { recursive: true, mode: 0o700 });
  if (!user) return;
  // The server's user must be able to pass through, not to list.
  for (const directory of holders.slice(0, 3)) {
    const { mode } = await stat(directory);
    if ((mode & 0o001) === 0) await chmod(directory, (mode & 0o7777) | 0o011);
  }
  for (const directory of [dataDir, socketDir]) await chown(directory, user.uid, user.gid);
  for (let parent = path.dirname(path.resolve(stateDir)); parent !== '/'; parent = path.dirname(parent)) {
    const { mode, uid } = await stat(parent);
    if ((mode & 0o001) === 0 && uid !== user.uid) {
      throw new Error(`user ${user.name}, who runs PostgreSQL, cannot pass through ${parent}: choose another --state`);
    }
  }
}

const identity = (user: ServerUser | null) => (user ? { uid: user.uid, gid: user.gid } : {});

/**
 * Makes the cluster beside its place and moves it there when it is whole: a start that is killed meanwhile leaves nothing
 * that looks like one. Locale C: sorting must not depend on the host. The socket's directory (0700) is the access
 * control, hence trust.
 */
async function initialise(
  binaries: PostgresBinaries,
  dataDir: string,
  user: ServerUser | null,
  { log, signal }: ClusterOptions,
): Promise<void> {
  const started = performance.now();
  const parent = path.dirname(dataDir);
  const unfinished = `${path.basename(dataDir)}.new-`;
  // Of starts that were killed. An initdb that outlived its region finds its files gone and ends.
  for (const name of await readdir(parent)) {
    if (name.startsWith(unfinished)) await rm(path.join(parent, name), REMOVE_FROM_WRITERS);
  }
  const making = await mkdtemp(path.join(parent, unfinished));
  try {
    if (user) await chown(making, user.uid, user.gid);
    const args = ['--pgdata', making, '--username', USER, '--encoding', 'UTF8', '--no-locale', '--no-instructions'];
    await run(binaries.initdb, [...args, '--auth-local', 'trust', '--auth-host', 'reject', '--data-checksums'], {
      ...identity(user),
      cwd: '/',
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      timeout: 120_000,
      killSignal: 'SIGKILL',
      signal,
    });
    // A rename replaces a directory only while that is empty.
    await rename(making, dataDir);
  } catch (error) {
    await rm(making, REMOVE_FROM_WRITERS);
    throw error;
  }
  log.info({ dataDir, ms: Math.round(performance.now() - started) }, 'made the private PostgreSQL cluster');
}

/** Takes over a server that already runs on this data directory. Null: there is none. */
async function adopt(dataDir: string, socketDir: string, log: Logger): Promise<number | null> {
  const found = await runningServer(dataDir);
  if (found === 'none') return null;
  if (found === 'stale') {
    await rm(path.join(dataDir, 'postmaster.pid'), { force: true });
    return null;
  }
  const answered = await waitReady(socketDir, 3000, () => null);
  if (answered === null) {
    log.info({ pid: found }, 'took over the PostgreSQL server that was already running');
    return found;
  }
  // On its way down, or deaf: make room.
  log.warn({ pid: found, error: answered.message }, 'the running PostgreSQL server does not answer; stopping it');
  await stop(found, log);
  await rm(path.join(dataDir, 'postmaster.pid'), { force: true });
  return null;
}

const MEMORY_AND_CALM = {
  listen_addresses: '',
  shared_buffers: '32MB',
  max_connections: '60',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  wal_buffers: '1MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  min_wal_size: '32MB',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  max_logical_replication_workers: '0',
  autovacuum_max_workers: '2',
  autovacuum_naptime: '15s',
  huge_pages: 'off',
  jit: 'off',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] %a ',
};

async function start(
  binaries: PostgresBinaries,
  dataDir: string,
  socketDir: string,
  user: ServerUser | null,
  options: ClusterOptions,
): Promise<number> {
  const settings: Record<string, string> = { ...MEMORY_AND_CALM, unix_socket_directories: socketDir };
  if (options.durable === false) {
    Object.assign(settings, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' });
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const logFile = path.join(options.stateDir, 'log', 'postgres.log');
  if (((await stat(logFile).catch(() => null))?.size ?? 0) > LOG_LIMIT) await rename(logFile, `${logFile}.1`);
  const started = performance.now();
  for (;;) {
    options.signal?.throwIfAborted();
    const output = await open(logFile, 'a', 0o640);
    // Its own session: Ctrl-C on the terminal must reach the region first. The log is a file, so the server outlives us.
    const child = spawn(binaries.postgres, ['-D', dataDir, ...args], {
      ...identity(user),
      cwd: '/',
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin', TZ: 'UTC' },
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
    });
    await output.close();
    child.unref();
    const problem = await waitReady(socketDir, START_DEADLINE_MS, endOf(child, options.signal));
    if (problem === null && child.pid !== undefined) return child.pid;
    if (child.exitCode === null && child.pid !== undefined) await stop(child.pid, options.log);
    // Back-ends of a server that was killed hold its shared memory for a moment after it.
    if (performance.now() - started > AGAIN_MS) {
      throw new Error(`PostgreSQL did not start: ${problem?.message ?? 'no process'}; see ${logFile}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Why to wait for the server no longer: its end, or that nobody wants it. */
function endOf(child: ChildProcess, signal?: AbortSignal): () => Error | null {
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  child.once('exit', (code, signal) => {
    failure ??= new Error(`the server ended with ${signal ?? `exit code ${code}`}`);
  });
  return () => failure ?? (signal?.aborted ? new Error('the start was given up') : null);
}

/** Null when the server answers a query; the last error when it does not within the time or `died` tells why. */
async function waitReady(socketDir: string, timeoutMs: number, died: () => Error | null): Promise<Error | null> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const error = await ask(socketDir, 'postgres', 'SELECT 1').then(
      () => null,
      (reason: Error) => reason,
    );
    if (error === null) return null;
    const end = died();
    if (end) return end;
    if (performance.now() > deadline) return error;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function ask(socketDir: string, database: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ host: socketDir, user: USER, database, connectionTimeoutMillis: 2000 });
  // A server that is killed between two answers must not end this process; the query that follows fails.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function ensureDatabase(socketDir: string): Promise<void> {
  const found = await ask(socketDir, 'postgres', `SELECT 1 FROM pg_database WHERE datname = '${DATABASE}'`);
  if (found.length === 0) await ask(socketDir, 'postgres', `CREATE DATABASE ${DATABASE}`);
}

async function stop(pid: number, log: Logger): Promise<void> {
  for (const [signal, timeoutMs] of [
    ['SIGINT', 6000],
    ['SIGQUIT', 3000],
    ['SIGKILL', 1000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (await waitGone(pid, timeoutMs)) return;
    log.warn({ pid, signal }, 'PostgreSQL did not stop in time');
  }
}
