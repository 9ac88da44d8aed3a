import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { ask, oauthHeader } from '../fleet/client.ts';
import { cpuSeconds, highestRss, rss } from '../fleet/memory.ts';
import { psql, psqlArguments } from '../fleet/psql.ts';
import type { BenchSite } from '../fleet/site.ts';

const LIST = '/MAAS/api/2.0/machines/';
const BODIES = 'COPY (SELECT body FROM machine_bodies ORDER BY machine_id) TO STDOUT';
const LIMIT_MS = 300_000;

export interface ListTimes {
  seconds: number;
  firstByteMs: number;
  bytes: number;
  /** Of the region process; PostgreSQL's and curl's are on both sides. */
  regionCpuSeconds: number;
  /** Highest resident memory meanwhile above that before, MiB. */
  growth: number;
}

/** The whole list through the region, read by curl. */
export async function timeList(site: BenchSite): Promise<ListTimes> {
  const { port, pid } = site.region;
  const before = { rss: await rss(pid), cpu: await cpuSeconds(pid) };
  const format = '%{http_code} %{time_starttransfer} %{time_total} %{size_download}';
  const { result, highest } = await highestRss(pid, () =>
    output('curl', [
      '-s',
      '-o',
      '/dev/null',
      '-w',
      format,
      '-H',
      `Authorization: ${oauthHeader(site.key)}`,
      `http://127.0.0.1:${port}${LIST}`,
    ]),
  );
  const [status, first, total, bytes] = result.split(' ').map(Number);
  if (status !== 200 || first === undefined || total === undefined || bytes === undefined) {
    throw new Error(`the list was answered with ${result}`);
  }
  const regionCpuSeconds = (await cpuSeconds(pid)) - before.cpu;
  return { seconds: total, firstByteMs: first * 1000, bytes, regionCpuSeconds, growth: highest - before.rss };
}

/** The same bodies without Ingot: psql copies them into curl, which uploads them to a server that drops them. */
export async function timeFloor(site: BenchSite): Promise<{ seconds: number; bytes: number }> {
  let bytes = 0;
  const sink = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end());
  });
  sink.listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const address = sink.address();
  if (address === null || typeof address === 'string') throw new Error('the sink has no port');
  const started = performance.now();
  try {
    const reader = spawn('psql', [...psqlArguments(site.socketDir), '-c', BODIES], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const sender = spawn('curl', ['-s', '-H', 'Expect:', '-T', '-', `http://127.0.0.1:${address.port}/`], {
      // The pipe itself, so that no byte goes through this process on its way.
      stdio: [reader.stdout, 'ignore', 'inherit'],
      timeout: LIMIT_MS,
    });
    const [code] = await once(sender, 'close');
    if (code !== 0) throw new Error(`curl ended with ${code}`);
    return { seconds: (performance.now() - started) / 1000, bytes };
  } finally {
    sink.close();
  }
}

export interface OneRead {
  queries: number;
  medianMs: number;
}

/**
 * Reading one machine. Queries are counted by PostgreSQL itself: statements of the region's connections in its log would
 * change the time, so the database's transaction count is taken over many reads, each statement being one.
 */
export async function readOne(site: BenchSite, systemId: string, times = 200): Promise<OneRead> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const read = () => ask({ port: site.region.port, key: site.key, path: `${LIST}${systemId}/`, agent });
  await read();
  const all: number[] = [];
  const before = await transactions(site);
  for (let n = 0; n < times; n++) {
    const answer = await read();
    if (answer.status !== 200) throw new Error(`reading ${systemId} was answered with ${answer.status}`);
    all.push(answer.ms);
  }
  const queries = ((await transactions(site)) - before) / times;
  agent.destroy();
  return {
    queries: Math.round(queries * 10) / 10,
    medianMs: all.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? 0,
  };
}

/** Committed transactions so far. Back-ends report theirs with up to a second of delay, once they idle. */
async function transactions(site: BenchSite): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2500));
  return Number(await psql(site.socketDir, "SELECT xact_commit FROM pg_stat_database WHERE datname = 'ingot'"));
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: LIMIT_MS });
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${text}`);
  return text;
}
