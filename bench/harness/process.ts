import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** USER_HZ; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  pid: number;
  parent: number;
  /** User and system time. */
  own: number;
  /** The same of its children that ended and were waited for. */
  ended: number;
}

/** Fields 4 and 14–17 of proc_pid_stat(5); the name in brackets before them may hold anything. */
export function parseStat(text: string): Stat | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, endedUser, endedSystem] = [11, 12, 13, 14].map((field) => Number(fields[field] ?? 'NaN'));
  const stat = {
    pid: Number.parseInt(text, 10),
    parent: Number(fields[1] ?? 'NaN'),
    own: (user ?? 0) + (system ?? 0),
    ended: (endedUser ?? 0) + (endedSystem ?? 0),
  };
  return Object.values(stat).every(Number.isInteger) ? stat : null;
}

/** The process and all below it, as they are now. */
async function family(pid: number): Promise<Stat[]> {
  const stats = new Map<number, Stat>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = parseStat(await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''));
    if (stat !== null) stats.set(stat.pid, stat);
  }
  const isBelow = (stat: Stat): boolean => {
    let at: Stat | undefined = stat;
    for (let depth = 0; at !== undefined && depth < 64; depth++) {
      if (at.pid === pid) return true;
      at = stats.get(at.parent);
    }
    return false;
  };
  return [...stats.values()].filter(isBelow);
}

const LOOK_EVERY_MS = 200;

/**
 * CPU seconds (user + system, steps of 10 ms) that a process and all below it spend while `work` runs. Children that
 * nobody waits for (in.tftpd's) leave no trace when they end, so the family is looked at meanwhile, too; what such a
 * child spends after the last look is missing, in the other side's favour when it is theirs.
 */
export async function withCpu<Result>(
  pid: number,
  work: () => Promise<Result>,
): Promise<{ result: Result; cpuSeconds: number }> {
  const before = new Map((await family(pid)).map((stat) => [stat.pid, stat]));
  const latest = new Map<number, Stat>();
  const look = async () => {
    for (const stat of await family(pid)) latest.set(stat.pid, stat);
  };
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_EVERY_MS);
  try {
    const result = await work();
    clearInterval(timer);
    await looking;
    await look();
    const spent = (of: 'own' | 'ended') =>
      [...latest.values()].reduce((sum, stat) => sum + stat[of] - (before.get(stat.pid)?.[of] ?? 0), 0);
    const living = new Set((await family(pid)).map((stat) => stat.pid));
    const own = spent('own');
    const ofLiving = [...latest.values()]
      .filter((stat) => living.has(stat.pid))
      .reduce((sum, stat) => sum + stat.own - (before.get(stat.pid)?.own ?? 0), 0);
    // Ended children are in their parent's sum if it waited for them, else only in what was seen of them.
    return { result, cpuSeconds: Math.max(own, ofLiving + spent('ended')) / TICKS_PER_SECOND };
  } finally {
    clearInterval(timer);
  }
}

export interface Running {
  pid: number;
  /** The first line on standard output; rejects when the process ends without one, or after 20 s. */
  firstLine: Promise<string>;
  stop(): Promise<void>;
}

/** Starts a server of a bench; its words on standard error are the bench's own. Rejects when it cannot be started. */
export async function startProcess(argv: readonly [string, ...string[]], cwd?: string): Promise<Running> {
  const child: ChildProcess = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'], cwd });
  await once(child, 'spawn');
  // A bench that is stopped in the middle leaves nothing running.
  const killWithUs = () => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  const { pid, stdout } = child;
  if (pid === undefined || stdout === null) throw new Error(`${argv[0]} was not started`);
  const ended = once(child, 'exit');
  const firstLine = new Promise<string>((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`${argv.join(' ')} said nothing in 20 s`)), 20_000);
    stdout.on('data', (part: Buffer) => {
      if (text.includes('\n')) return;
      text += part.toString('utf8');
      if (!text.includes('\n')) return;
      clearTimeout(timer);
      resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`${argv.join(' ')} ended with ${code}`));
    });
  });
  // Whoever does not wait for the line must not be hit by its rejection.
  firstLine.catch(() => undefined);
  return {
    pid,
    firstLine,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      if ((await Promise.race([ended, sleep(5000, 'late', { ref: false })])) === 'late') child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface Finished {
  seconds: number;
  cpuSeconds: number;
  stdout: string;
}

/** Runs a program to its end; wall and CPU seconds are those of it and its children. Rejects unless it ends with 0. */
export async function runToEnd(argv: readonly [string, ...string[]], timeoutSeconds = 600): Promise<Finished> {
  // bash's own `times` counts everything it waited for; its third line is the children's.
  const script = '"$@"; code=$?; times >&3; exit $code';
  const started = performance.now();
  const child = spawn('bash', ['-c', script, 'bench', ...argv], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    timeout: timeoutSeconds * 1000,
  });
  const texts = ['', ''];
  for (const [i, stream] of [child.stdout, child.stdio[3]].entries()) {
    stream?.on('data', (part: Buffer) => {
      if ((texts[i] ?? '').length < 1 << 20) texts[i] += part.toString('utf8');
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${argv.join(' ').slice(0, 300)} ended with ${code}`);
  const seconds = (performance.now() - started) / 1000;
  const [stdout = '', times = ''] = texts;
  const spent = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  return { seconds, stdout, cpuSeconds: spent.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0) };
}

/** Waits until a TCP port of 127.0.0.1 answers, at most 10 s. */
export async function untilListening(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}
