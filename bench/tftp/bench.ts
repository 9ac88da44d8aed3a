import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Bench, type BenchContext, interleave, type Row, type Sample, type Side } from '../harness/bench.ts';
import { runToEnd, withCpu } from '../harness/process.ts';
import type { FetchOrder, FetchResult } from './order.ts';
import { type Server, startServers } from './servers.ts';

const LARGE = 64 * 2 ** 20;
const SMALL = 2 ** 20;
const CLIENTS = 500;
const BLOCK_SIZES = [512, 1468, 8192];
const WINDOWS = [1, 16];

const NO_WINDOWS =
  'tftpd-hpa does not know RFC 7440: asked for a window of 16 it stays in lockstep, and is measured as it answers.';
const CLIENT =
  'All servers are read by the same client program (protocols/tftp/client.ts) over loopback, file in memory.';

export const bench: Bench = {
  name: 'tftp',
  what: '64 MiB by TFTP at block sizes 512/1468/8192 and windows 1/16; 500 clients at once',
  needsRoot: true,
  async run(context) {
    const folder = path.join(context.scratch, 'files');
    await mkdir(folder, { mode: 0o755 });
    const small = randomBytes(SMALL);
    await writeFile(path.join(folder, 'large.bin'), randomBytes(LARGE), { mode: 0o644 });
    await writeFile(path.join(folder, 'small.bin'), small, { mode: 0o644 });
    const servers = await startServers(context, folder);
    try {
      const sum = createHash('sha256').update(small).digest('hex');
      const rows: Row[] = [];
      for (const blockSize of BLOCK_SIZES) {
        for (const windowSize of WINDOWS)
          rows.push(...(await single(context, servers, { blockSize, windowSize }, sum)));
      }
      rows.push(...(await crowd(context, servers)));
      return rows;
    } finally {
      await Promise.all(servers.map((server) => server.process.stop()));
    }
  },
};

async function fetch(context: BenchContext, server: Server, order: Omit<FetchOrder, 'port'>): Promise<FetchResult> {
  const argument = JSON.stringify({ ...order, port: server.port } satisfies FetchOrder);
  const { stdout } = await runToEnd([process.execPath, context.program('fetch'), argument]);
  // The program prints what its own type says.
  return JSON.parse(stdout) as FetchResult;
}

type Terms = Pick<FetchOrder, 'blockSize' | 'windowSize'>;

async function single(context: BenchContext, servers: Server[], terms: Terms, sum: string): Promise<Row[]> {
  context.say(`64 MiB, block ${terms.blockSize}, window ${terms.windowSize}`);
  const order = { ...terms, name: 'large.bin', clients: 1, timeoutMs: 1000 };
  for (const server of servers) {
    const first = await fetch(context, server, { ...order, name: 'small.bin', digest: true });
    if (first.sha256 !== sum) throw new Error(`${server.name} sent something else: ${first.problems.join('; ')}`);
    if (first.blockSize !== terms.blockSize) throw new Error(`${server.name} granted blocks of ${first.blockSize}`);
  }
  const one = (server: Server) => async (): Promise<Sample> => {
    const work = () => fetch(context, server, { ...order, digest: false });
    const { result, cpuSeconds } = await withCpu(server.process.pid, work);
    if (result.bytes !== LARGE) throw new Error(`${server.name}: ${result.problems.join('; ')}`);
    return { value: LARGE / 2 ** 20 / result.seconds, cpuSeconds };
  };
  const sides = await measure(context, servers, one);
  const least = terms.windowSize > 1 ? 1 : 0.9;
  return rowsOf(sides, {
    what: `block ${terms.blockSize}, window ${terms.windowSize}`,
    unit: 'MiB/s',
    better: 'more',
    goals: [{ of: 'speed', is: 'at least', value: least }],
    note: terms.windowSize > 1 ? NO_WINDOWS : CLIENT,
  });
}

/** A hall that is switched on: each client is one machine with one file, and nobody may have to wait for a time-out. */
async function crowd(context: BenchContext, servers: Server[]): Promise<Row[]> {
  context.say(`${CLIENTS} clients at once`);
  const timeouts = new Map<string, Sample[]>(servers.map((server) => [server.name, []]));
  const one = (server: Server) => async (): Promise<Sample> => {
    const order = {
      blockSize: 1468,
      windowSize: 1,
      name: 'small.bin',
      clients: CLIENTS,
      timeoutMs: 5000,
      digest: false,
    };
    const { result: got, cpuSeconds } = await withCpu(server.process.pid, () => fetch(context, server, order));
    // A client that never got its file waited in vain too.
    const lost = CLIENTS - got.received;
    if (lost > 0) context.say(`${server.name}: ${lost} clients failed: ${got.problems.join('; ').slice(0, 300)}`);
    timeouts.get(server.name)?.push({ value: got.timeouts + lost, cpuSeconds: null });
    // A process for each client, that ends before the kernel's 10 ms have counted it: no number is better than a wrong one.
    return { value: got.seconds, cpuSeconds: server.name === 'tftpd-hpa' ? null : cpuSeconds };
  };
  const sides = await measure(context, servers, one);
  const waits = servers.map((server) => ({ name: server.name, samples: timeouts.get(server.name) ?? [] }));
  const what = `${CLIENTS} clients × 1 MiB, block 1468`;
  return [
    ...rowsOf(sides, { what, unit: 's', better: 'less', goals: [] }),
    ...rowsOf(waits, {
      what: `${what}: time-outs (5 s) and failures`,
      unit: 'count',
      better: 'less',
      goals: [{ of: 'ours', is: 'at most', value: 0 }],
    }),
  ];
}

async function measure(
  context: BenchContext,
  servers: Server[],
  one: (server: Server) => () => Promise<Sample>,
): Promise<Side[]> {
  const measured = await interleave(context.rounds, Object.fromEntries(servers.map((s) => [s.name, one(s)])));
  return servers.map((server) => ({ name: server.name, samples: measured[server.name] ?? [] }));
}

/** The first side is ours; a row against each of the others. */
function rowsOf([ours, ...others]: Side[], row: Omit<Row, 'ours' | 'theirs'>): Row[] {
  return ours === undefined ? [] : others.map((theirs) => ({ ...row, ours, theirs }));
}
