import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const START_LIMIT_MS = 60_000;
const LOG = 'region.log';
const STOP_LIMIT_MS = 10_000;
const BUILD_LIMIT_MS = 300_000;

export interface RegionProcess {
  pid: number;
  port: number;
  stop(): Promise<void>;
}

export interface BenchSite {
  stateDir: string;
  /** Directory of PostgreSQL's socket. */
  socketDir: string;
  /** The first region process, which owns the database. */
  region: RegionProcess;
  /** API key of an administrator. */
  key: string;
  /** A further region process on the same database. */
  further(): Promise<RegionProcess>;
  /** The last complaints of the first region process, for the message of a bench that failed. */
  complaints(): Promise<string>;
  /** Stops every process it started and removes the directory. */
  close(): Promise<void>;
}

/** Builds the programs as they are now; gives the directory they are in. */
export async function buildPrograms(root: string, ...names: string[]): Promise<string> {
  await run(process.execPath, [path.join(root, 'scripts/build.mjs'), ...names], { cwd: root, timeout: BUILD_LIMIT_MS });
  return path.join(root, 'dist');
}

/** A real region with its private PostgreSQL (fsync on) in a temporary directory; its program is built first. */
export async function startBenchSite(root: string): Promise<BenchSite> {
  const program = path.join(await buildPrograms(root, 'region'), 'region.mjs');
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-bench-'));
  const socketDir = path.join(stateDir, 'run', 'pg');
  const once = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [program, ...args, '--state', stateDir, '--log-level', 'error'])).stdout.trim();
  try {
    await once('createadmin', '--username', 'bench', '--password', 'bench-password');
    const key = await once('apikey', '--username', 'bench');
    const region = await startRegion(program, stateDir, []);
    const others: RegionProcess[] = [];
    return {
      stateDir,
      socketDir,
      region,
      key,
      async further() {
        const url = `postgresql://ingot@/ingot?host=${encodeURIComponent(socketDir)}`;
        const own = await mkdtemp(path.join(os.tmpdir(), 'ingot-bench-'));
        await run('cp', [path.join(stateDir, 'key'), path.join(own, 'key')]);
        const other = await startRegion(program, own, ['--database', url]);
        const removed: RegionProcess = {
          ...other,
          async stop() {
            await other.stop();
            await rm(own, { recursive: true, force: true });
          },
        };
        others.push(removed);
        return removed;
      },
      async complaints() {
        const lines = (await readFile(path.join(stateDir, LOG), 'utf8')).split('\n');
        return lines
          .filter((line) => /"level":[456]0/.test(line))
          .slice(-3)
          .join('\n')
          .slice(-3000);
      },
      async close() {
        for (const other of others) await other.stop();
        await region.stop();
        await rm(stateDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(stateDir, { recursive: true, force: true });
    throw error;
  }
}

async function startRegion(program: string, stateDir: string, further: readonly string[]): Promise<RegionProcess> {
  const logFile = path.join(stateDir, LOG);
  const log = await open(logFile, 'w');
  const args = [program, 'serve', '--state', stateDir, '--listen', '127.0.0.1:0', ...further];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', log.fd] });
  await log.close();
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const text = await readFile(logFile, 'utf8');
    const port = /"port":(\d+)[^\n]*"region serves"/.exec(text)?.[1];
    if (port !== undefined && child.pid !== undefined) {
      return { pid: child.pid, port: Number(port), stop: () => stopChild(child) };
    }
    if (child.exitCode !== null || performance.now() > deadline) {
      await stopChild(child);
      throw new Error(`the region did not start: ${text.slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(force);
}
