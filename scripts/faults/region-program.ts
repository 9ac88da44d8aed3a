import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '@ingot/lab/run/command.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { checkout } from '../sim/built.ts';

const PROGRAM = path.join(checkout, 'dist/region.mjs');
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;

/** Starts after one that ended by itself, as whoever supervises it would do. */
const STARTS = 3;

/** The built region as a process of its own, to be killed. */
export interface RegionProgram {
  stateDir: string;
  running(): boolean;
  /** Resolves when it serves; does nothing when it runs. */
  start(): Promise<void>;
  /** kill -9. What it left running (PostgreSQL) stays. */
  kill(): Promise<void>;
  /** In order. */
  stop(): Promise<void>;
}

export interface RegionProgramOptions {
  stateDir: string;
  port: number;
  /** Null: its private cluster. */
  databaseUrl: string | null;
}

const shared = ({ stateDir, databaseUrl }: Omit<RegionProgramOptions, 'port'>): string[] => [
  ...['--state', stateDir],
  ...(databaseUrl === null ? [] : ['--database', databaseUrl]),
];

/** Runs one of its commands that end by themselves; throws what it says when it fails. */
export async function runRegion(verb: string[], at: Omit<RegionProgramOptions, 'port'>, input = ''): Promise<void> {
  const [name = '', ...rest] = verb;
  const argv = [process.execPath, PROGRAM, name, ...shared(at), ...rest];
  const ran = await tryCommand(argv, START_LIMIT_MS, input);
  if (ran.code !== 0) throw new Error(`region ${verb.join(' ')}: exit ${ran.code}: ${ran.stderr.slice(-1000)}`);
}

export function regionProgram(options: RegionProgramOptions): RegionProgram {
  const { stateDir, port } = options;
  let child: ChildProcess | null = null;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending) return;
    child = null;
    if (ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.kill(signal);
    const late = setTimeout(() => ending.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(late);
  }

  async function startOnce(): Promise<'serves' | 'killed' | 'ended'> {
    const log = await open(path.join(stateDir, 'region.log'), 'a');
    const argv = [PROGRAM, ...shared(options), '--listen', `127.0.0.1:${port}`];
    const started = spawn(process.execPath, argv, { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    child = started;
    return await waitFor(
      `the region (${stateDir}/region.log says more)`,
      START_LIMIT_MS,
      async () => {
        // Nobody waits for it any more.
        if (child !== started) return 'killed';
        if (started.exitCode !== null) return 'ended';
        const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
        return answer?.ok ? 'serves' : undefined;
      },
      100,
    );
  }

  return {
    stateDir,
    running: () => child !== null,
    async start() {
      if (child) return;
      for (let starts = 1; (await startOnce()) === 'ended'; starts += 1) {
        child = null;
        const words = (await readFile(path.join(stateDir, 'region.log'), 'utf8')).slice(-3000);
        if (starts === STARTS) throw new Error(`the region ended by itself ${STARTS} times: ${words}`);
        console.log(`a region ended by itself: ${words}`);
      }
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}
