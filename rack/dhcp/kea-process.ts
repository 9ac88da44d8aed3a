import { type ChildProcess, spawn } from 'node:child_process';
import { access, copyFile, mkdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { keaCommand } from './kea-control.ts';

export interface KeaProcessOptions {
  /** Working directory, also for its copy of the binary; created. */
  dir: string;
  controlSocket: string;
  configFile: string;
  log: Logger;
  /** Put before the command line, e.g. to enter a network namespace. */
  commandPrefix?: readonly string[];
  onExit(detail: string): void;
}

export interface KeaProcess {
  pid: number;
  /** SIGTERM, after a second SIGKILL. */
  stop(): Promise<void>;
}

/** Longest path of a unix socket (sun_path) without its terminating zero. */
const SOCKET_PATH_LIMIT = 107;
const BINARY = 'kea-dhcp4';
const READY_DEADLINE_MS = 10_000;

/**
 * Debian's AppArmor profile confines /usr/sbin/kea-dhcp4 to the system's own directories; a copy in the state
 * directory is not confined. Copied again when the package changed.
 */
async function ownCopy(name: string, dir: string): Promise<string> {
  const target = join(dir, name);
  for (const source of [`/usr/sbin/${name}`, `/usr/local/sbin/${name}`]) {
    const from = await stat(source).catch(() => null);
    if (from === null) continue;
    const to = await stat(target).catch(() => null);
    if (to?.size !== from.size || Math.abs(to.mtimeMs - from.mtimeMs) > 1000) {
      await copyFile(source, target);
      await utimes(target, from.atime, from.mtime);
    }
    return target;
  }
  throw new Error(`${name} is not installed: apt-get install kea-dhcp4-server`);
}

/** A Kea of this directory that outlived its rack (kill -9) holds the sockets: it is ended by the pid in its own file. */
export async function endStaleKea(dir: string): Promise<void> {
  const pidFile = join(dir, 'dhcp4.kea-dhcp4.pid');
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1 || !(await isKeaOf(pid, dir))) return;
  process.kill(pid, 'SIGKILL');
  for (let i = 0; i < 40 && (await isKeaOf(pid, dir)); i++) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function isKeaOf(pid: number, dir: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.startsWith(`${join(dir, BINARY)}\0`);
}

/** Starts Kea on `configFile` and waits until its control channel answers. Rejects with Kea's words when it does not. */
export async function startKea(options: KeaProcessOptions): Promise<KeaProcess> {
  const { dir, controlSocket, configFile, log } = options;
  if (Buffer.byteLength(controlSocket) > SOCKET_PATH_LIMIT) {
    throw new Error(
      `The path of Kea's control socket is too long (${controlSocket}); use a shorter --state directory.`,
    );
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const binary = await ownCopy(BINARY, dir);
  const cleaner = await ownCopy('kea-lfc', dir);
  await endStaleKea(dir);
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    KEA_LFC_EXECUTABLE: cleaner,
    KEA_PIDFILE_DIR: dir,
    KEA_LOCKFILE_DIR: dir,
  };
  // setpriv lets the kernel end Kea when we die, however we die.
  const guard = (await exists('/usr/bin/setpriv')) ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : [];
  const [command = binary, ...args] = [...(options.commandPrefix ?? []), ...guard, binary, '-c', configFile];
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: dir });
  const lastLines = followOutput(child, log);
  let stopping = false;
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`exit ${code ?? signal}: ${lastLines().join(' | ')}`));
  });
  void exited.then((detail) => {
    if (!stopping) options.onExit(detail);
  });
  const stop = async () => {
    stopping = true;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 1000);
    await exited;
    clearTimeout(killer);
  };

  const end = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    const waited = new Promise<null>((resolve) => setTimeout(() => resolve(null), 20));
    const detail = await Promise.race([exited, waited]);
    if (detail !== null) throw new Error(`Kea ended at its start: ${detail}`);
    if (await answers(controlSocket)) return { pid: child.pid ?? 0, stop };
    if (performance.now() > end) {
      await stop();
      throw new Error(`Kea does not answer on ${controlSocket}`);
    }
  }
}

async function answers(controlSocket: string): Promise<boolean> {
  return (await keaCommand(controlSocket, 'status-get', undefined, 500).catch(() => null))?.result === 0;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Hands Kea's lines to the log; returns a way to the last few, for error messages. */
function followOutput(child: ChildProcess, log: Logger): () => string[] {
  const last: string[] = [];
  let rest = '';
  const take = (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = (lines.pop() ?? '').slice(0, 4096);
    for (const line of lines.filter((each) => each.trim() !== '')) {
      last.push(line.slice(0, 500));
      if (last.length > 5) last.shift();
      log.info({ kea: line.slice(0, 2000) }, 'kea');
    }
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  return () => last;
}
