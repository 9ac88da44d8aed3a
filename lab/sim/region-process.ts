import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '../run/command.ts';
import { waitFor } from '../run/wait.ts';
import { type NativeClient, nativeClient } from '../story/native-client.ts';

export interface RegionProcessOptions {
  checkout: string;
  /** Short: a unix socket's path below it has at most 107 bytes. */
  stateDir: string;
  port: number;
  admin: { username: string; password: string };
}

/** A region as its own process, with its private PostgreSQL. */
export interface RegionProcess {
  url: string;
  api: NativeClient;
  start(): Promise<void>;
  /** kill -9: PostgreSQL stays and is taken over by the next start. */
  kill(): Promise<void>;
  /** In order, PostgreSQL with it. */
  stop(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;

/** Makes the administrator; the region is not started yet. */
export async function createRegionProcess(options: RegionProcessOptions): Promise<RegionProcess> {
  const { checkout, stateDir, port, admin } = options;
  const program = path.join(checkout, 'dist/region.mjs');
  const create = ['createadmin', '--state', stateDir, '--username', admin.username, '--password', '-'];
  const made = await tryCommand([process.execPath, program, ...create], START_LIMIT_MS, `${admin.password}\n`);
  if (made.code !== 0) throw new Error(`createadmin: exit ${made.code}: ${made.stderr.trim().slice(-1000)}`);
  const api = nativeClient(path.join(stateDir, 'run/api.sock'));
  let child: ChildProcess | null = null;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending) return;
    child = null;
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.kill(signal);
    const late = setTimeout(() => ending.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(late);
  }

  return {
    url: `http://127.0.0.1:${port}`,
    api,
    async start() {
      const log = await open(path.join(stateDir, 'region.log'), 'a');
      try {
        const argv = [program, '--state', stateDir, '--listen', `127.0.0.1:${port}`];
        child = spawn(process.execPath, argv, { stdio: ['ignore', log.fd, log.fd] });
      } finally {
        await log.close();
      }
      const ready = () => fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => (ok ? true : undefined));
      await waitFor(
        `the region (${stateDir}/region.log says more)`,
        START_LIMIT_MS,
        () => ready().catch(() => undefined),
        100,
      );
    },
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM');
      await stopLeftServer(path.join(stateDir, 'postgres'));
    },
  };
}

/** PostgreSQL that outlived a killed region. SIGINT is its fast shutdown; a file that is not there means it has ended. */
async function stopLeftServer(folder: string): Promise<void> {
  const file = path.join(folder, '15/postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It ended without removing its file.
    return;
  }
  await waitFor(
    'PostgreSQL to end',
    STOP_LIMIT_MS,
    async () => ((await readFile(file, 'utf8').catch(() => null)) === null ? true : undefined),
    50,
  );
}
