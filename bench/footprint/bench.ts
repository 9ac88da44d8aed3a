import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, familyOf, nameOf, pss } from '../fleet/memory.ts';
import { buildPrograms } from '../fleet/site.ts';
import { type Bench, type BenchContext, interleave, type Row, type Sample } from '../harness/bench.ts';

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 15_000;
const POLL_MS = 5;
/** After the first answer everything else still starts; then caches settle. */
const SETTLE_MS = 20_000;
const HELP_RUNS = 9;

export const bench: Bench = {
  name: 'footprint',
  what: 'idle memory of everything that `ingot up` runs, its start, and `ingot --help`',
  needsRoot: false,
  async run(context) {
    const dist = await buildPrograms(context.root, 'ingot', 'region', 'rack');
    const program = path.join(dist, 'ingot.mjs');
    const stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-bench-'));
    try {
      context.say('first start, which makes the database');
      const first = await start(program, stateDir);
      await stop(first.child);
      const starts: Sample[] = [];
      const memory: { total: number; parts: string }[] = [];
      for (let round = 0; round < context.rounds; round++) {
        const { child, sample } = await start(program, stateDir);
        try {
          starts.push(sample);
          await sleep(SETTLE_MS);
          memory.push(await memoryOf(child));
        } finally {
          await stop(child);
        }
      }
      return rowsOf(starts, memory, await helps(context, program));
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  },
};

interface Started {
  child: ChildProcess;
  /** From the start of the process to the answer, and what all its processes had worked by then. */
  sample: Sample;
}

/** Starts `ingot up` and waits for its first HTTP answer, ms. */
async function start(program: string, stateDir: string): Promise<Started> {
  const port = await freePort();
  const started = performance.now();
  const args = [program, 'up', '--state', stateDir, '--listen', `127.0.0.1:${port}`, '--no-tftp'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'spawn');
  while (performance.now() - started < START_LIMIT_MS && child.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/MAAS/api/2.0/version/`).catch(() => null);
    if (answer?.status === 200 && child.pid !== undefined) {
      const value = performance.now() - started;
      const spent = await Promise.all((await familyOf(child.pid)).map(cpuSeconds));
      return { child, sample: { value, cpuSeconds: spent.reduce((sum, one) => sum + one, 0) } };
    }
    await sleep(POLL_MS);
  }
  await stop(child);
  throw new Error('ingot up does not answer');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(force);
}

/** Everything below `ingot up`, PostgreSQL with its back-ends included, in MiB. */
async function memoryOf(child: ChildProcess): Promise<{ total: number; parts: string }> {
  if (child.pid === undefined) throw new Error('ingot up has no process');
  const parts = await Promise.all(
    (await familyOf(child.pid)).map(async (pid) => ({ name: await nameOf(pid), mib: await pss(pid) })),
  );
  const byName = new Map<string, number>();
  for (const { name, mib } of parts) byName.set(name, (byName.get(name) ?? 0) + mib);
  const text = [...byName].map(([name, mib]) => `${name} ${mib.toFixed(0)}`).join(', ');
  return { total: parts.reduce((sum, { mib }) => sum + mib, 0), parts: text };
}

/** The command line's help, and Node's own start beside it, which nobody can be faster than. */
async function helps(context: BenchContext, program: string) {
  context.say('ingot --help');
  return await interleave(HELP_RUNS, {
    ours: () => timed([program, '--help']),
    node: () => timed(['-e', '0']),
  });
}

async function timed(args: readonly string[]): Promise<Sample> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}`);
  return { value: performance.now() - started, cpuSeconds: null };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function rowsOf(
  starts: Sample[],
  memory: { total: number; parts: string }[],
  help: { ours: Sample[]; node: Sample[] },
): Row[] {
  const row = (what: string, unit: string, samples: Sample[], most: number, note: string): Row => ({
    what,
    unit,
    better: 'less',
    ours: { name: 'ingot', samples },
    theirs: null,
    goals: [{ of: 'ours', is: 'at most', value: most }],
    note,
  });
  return [
    row(
      'idle, all processes, PSS',
      'MiB',
      memory.map((one) => ({ value: one.total, cpuSeconds: null })),
      400,
      `Twenty seconds after the start. MiB by program: ${memory.at(-1)?.parts ?? ''}.`,
    ),
    row('ingot up, first answer', 'ms', starts, 3000, 'On a directory that was used before.'),
    {
      what: 'ingot --help',
      unit: 'ms',
      better: 'less',
      ours: { name: 'ingot', samples: help.ours },
      theirs: { name: 'node -e 0', samples: help.node },
      goals: [{ of: 'ours', is: 'at most', value: 150 }],
      note: 'The whole process, from start to exit; beside it a Node that does nothing.',
    },
  ];
}
