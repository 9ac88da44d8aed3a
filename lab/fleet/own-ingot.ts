import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '../run/command.ts';
import { waitFor } from '../run/wait.ts';
import { registerSimulatedImages } from '../sim/site.ts';
import { nativeClient } from '../story/native-client.ts';
import type { AddressPlan } from './address-plan.ts';

/** An Ingot of the simulation's own: what `ingot up` starts, in a directory of its own. */
export interface OwnIngot {
  url: string;
  socketPath: string;
  admin: { username: string; password: string };
  /** Pids of supervisor, region, rack and PostgreSQL, as they are now. */
  processes(): Promise<number[]>;
  /** Resolves when it ended without being asked to, with its last words. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface OwnIngotOptions {
  checkout: string;
  /** Short: a unix socket's path below it has at most 107 bytes. */
  stateDir: string;
  port: number;
  plan: AddressPlan;
  leaseFile: string;
}

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 20_000;
const SETPRIV = '/usr/bin/setpriv';

/** Region, PostgreSQL and rack, with images whose bytes mean nothing: no simulated machine runs them. */
export async function startOwnIngot(options: OwnIngotOptions): Promise<OwnIngot> {
  const { checkout, stateDir, port, plan } = options;
  const admin = { username: 'admin', password: randomBytes(9).toString('base64url') };
  const create = ['createadmin', '--state', stateDir, '--username', admin.username, '--password', '-'];
  const made = await tryCommand(
    [process.execPath, path.join(checkout, 'dist/region.mjs'), ...create],
    START_LIMIT_MS,
    `${admin.password}\n`,
  );
  if (made.code !== 0) throw new Error(`createadmin: exit ${made.code}: ${made.stderr.trim().slice(-1000)}`);
  await mkdir(path.join(stateDir, 'log'), { recursive: true });
  const argv = [path.join(checkout, 'dist/ingot.mjs'), '--state', stateDir, 'up', '--listen', `127.0.0.1:${port}`];
  for (const address of plan.rackAddresses) argv.push('--rack-address', address);
  const child = await startBound(
    [process.execPath, ...argv, '--leases', options.leaseFile, '--no-tftp'],
    path.join(stateDir, 'log/up.log'),
  );
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`ingot up ended (${signal ?? `exit ${code}`})`));
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(late);
    }
    await endOrphan(stateDir);
  };
  const socketPath = path.join(stateDir, 'run/api.sock');
  try {
    const api = nativeClient(socketPath);
    const linked = async () => {
      if (child.exitCode !== null) throw new Error(`ingot up ended; ${stateDir}/log/up.log says why`);
      if (!existsSync(socketPath)) return undefined;
      const racks = await api.racks().catch(() => []);
      return racks.some(({ connected }) => connected) ? true : undefined;
    };
    await waitFor(`Ingot's rack (${stateDir}/log says more)`, START_LIMIT_MS, linked, 100);
    await registerSimulatedImages(api, path.join(stateDir, 'images'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    socketPath,
    admin,
    processes: () => descendants(child.pid ?? 0),
    ended,
    stop,
  };
}

/** PostgreSQL outlives a region that was killed, for the next one to take over; here there will be no next one. */
async function endOrphan(stateDir: string): Promise<void> {
  const dataDir = path.join(stateDir, 'postgres/15');
  const [pid = 0] = (await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => ''))
    .split('\n')
    .map(Number);
  // Its working directory is its data directory; the number may be somebody else's by now.
  const isOurs = async () => (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === dataDir;
  if (!(pid > 1) || !(await isOurs())) return;
  process.kill(pid, 'SIGINT');
  await waitFor('PostgreSQL to end', STOP_LIMIT_MS, async () => ((await isOurs()) ? undefined : true), 50);
}

/** A program that the kernel ends when we die, its output in a file. */
export async function startBound(argv: readonly string[], logFile: string): Promise<ChildProcess> {
  const bound = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', '--', ...argv] : argv;
  const [program = '', ...rest] = bound;
  const log = await open(logFile, 'a');
  try {
    // A group of its own: Ctrl-C reaches us alone, and we stop it in order.
    return spawn(program, rest, { detached: true, stdio: ['ignore', log.fd, log.fd] });
  } finally {
    await log.close();
  }
}

/** A process and all below it. */
async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name (field 2) may hold spaces and brackets: count from behind its last bracket.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent > 0) parents.set(Number(name), parent);
  }
  const found = [root];
  for (let at = 0; at < found.length; at += 1) {
    for (const [pid, parent] of parents) if (parent === found[at]) found.push(pid);
  }
  return found;
}
