import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { type Bench, type BenchContext, interleave, type Row, type Sample } from '../harness/bench.ts';
import { runToEnd, startProcess, untilListening, withCpu } from '../harness/process.ts';
import { writeImage } from './image.ts';

const SIZE = 2 ** 30;
const STREAMS = [1, 8];

const NOTE =
  'curl to /dev/null over loopback, file in the page cache; nginx with sendfile, two workers. CPU is that of the server alone, per run of streams × 1 GiB.';

export const bench: Bench = {
  name: 'http-image',
  what: 'an image of 1 GiB by HTTP from the rack’s cache, 1 and 8 streams, beside nginx',
  needsRoot: false,
  async run(context) {
    const cache = path.join(context.scratch, 'rack/cache');
    await mkdir(cache, { recursive: true });
    context.say('writing 1 GiB');
    const sum = await writeImage(cache, SIZE);
    const own = await startProcess([process.execPath, context.program('serve'), path.join(context.scratch, 'rack')]);
    const nginxPort = await freePort();
    const configuration = await nginxConfiguration(context, cache, nginxPort);
    const nginx = await startProcess(['/usr/sbin/nginx', '-p', context.scratch, '-c', configuration]);
    try {
      await untilListening(nginxPort);
      const urls = {
        ingot: `http://127.0.0.1:${await own.firstLine}/blobs/sha256/${sum}`,
        nginx: `http://127.0.0.1:${nginxPort}/${sum}`,
      };
      const rows: Row[] = [];
      for (const streams of STREAMS) {
        context.say(`${streams} streams`);
        // Once each without counting: code is compiled, the file is in memory.
        await download(urls.ingot, 1);
        await download(urls.nginx, 1);
        const samples = await interleave(context.rounds, {
          ingot: () => sample(own.pid, urls.ingot, streams),
          nginx: () => sample(nginx.pid, urls.nginx, streams),
        });
        rows.push({
          what: `${streams} × 1 GiB`,
          unit: 'MiB/s',
          better: 'more',
          ours: { name: 'ingot', samples: samples.ingot },
          theirs: { name: 'nginx', samples: samples.nginx },
          goals:
            streams === 8
              ? [
                  { of: 'speed', is: 'at least', value: 0.9 },
                  { of: 'cpu', is: 'at most', value: 1.5 },
                ]
              : [{ of: 'cpu', is: 'at most', value: 1.5 }],
          note: NOTE,
        });
      }
      return rows;
    } finally {
      await Promise.all([own.stop(), nginx.stop()]);
    }
  },
};

/** Seconds for that many curls at once; each must get every byte. */
async function download(url: string, streams: number): Promise<number> {
  const script =
    'for i in $(seq "$2"); do curl --silent --fail --output /dev/null --write-out "%{size_download}\\n" "$1" & done; wait';
  const { seconds, stdout } = await runToEnd(['bash', '-c', script, 'curl', url, String(streams)]);
  const whole = stdout.split('\n').filter((line) => line === String(SIZE)).length;
  if (whole !== streams) throw new Error(`${url}: ${whole} of ${streams} downloads were whole`);
  return seconds;
}

async function sample(pid: number, url: string, streams: number): Promise<Sample> {
  const { result: seconds, cpuSeconds } = await withCpu(pid, () => download(url, streams));
  return { value: (streams * SIZE) / 2 ** 20 / seconds, cpuSeconds };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}

async function nginxConfiguration(context: BenchContext, folder: string, port: number): Promise<string> {
  const file = path.join(context.scratch, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    file,
    `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${context.scratch}/nginx.pid;
error_log stderr error;
worker_processes auto;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path ${context.scratch}/nginx-${name};`).join('\n  ')}
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`,
  );
  return file;
}
