import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, oauthHeader } from '../fleet/client.ts';
import { cpuSeconds, highestRss, rss } from '../fleet/memory.ts';
import { psql, psqlArguments } from '../fleet/psql.ts';
import { quantile } from '../fleet/quantile.ts';
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
 * Reading one machine again and again. The queries are what PostgreSQL wrote into its log meanwhile, less what the same
 * region process asks in an idle time of the same length.
 */
export async function readOne(site: BenchSite, systemId: string, times = 100): Promise<OneRead> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const read = () => ask({ port: site.region.port, key: site.key, path: `${LIST}${systemId}/`, agent });
  await read();
  const all: number[] = [];
  const logged = await startQueryLog(site);
  try {
    const started = performance.now();
    const before = await logged.count();
    for (let n = 0; n < times; n++) {
      const answer = await read();
      if (answer.status !== 200) throw new Error(`reading ${systemId} was answered with ${answer.status}`);
      all.push(answer.ms);
    }
    const busy = (await logged.count()) - before;
    if (busy < times)
      throw new Error(`${times} reads and ${busy} statements in PostgreSQL's log: they were not counted`);
    const idleBefore = await logged.count();
    await sleep(performance.now() - started);
    const idle = (await logged.count()) - idleBefore;
    return { queries: Math.round(((busy - idle) / times) * 10) / 10, medianMs: quantile(all, 0.5) };
  } finally {
    agent.destroy();
    await logged.stop();
  }
}

/** Lets PostgreSQL log every statement; `count` is those of the region's connections so far, each called "ingot" and a word. */
async function startQueryLog({ socketDir, stateDir }: BenchSite) {
  const file = path.join(stateDir, 'log', 'postgres.log');
  const set = async (value: string) => {
    await psql(socketDir, `ALTER SYSTEM SET log_statement = '${value}';`);
    await psql(socketDir, 'SELECT pg_reload_conf();');
    await sleep(300);
  };
  await set('all');
  return {
    async count() {
      await sleep(200);
      const lines = (await readFile(file, 'utf8')).split('\n');
      return lines.filter((line) => /\] ingot[\w ]* LOG: {2}(execute|statement)/.test(line)).length;
    },
    stop: () => set('none'),
  };
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
