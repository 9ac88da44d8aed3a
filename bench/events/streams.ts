import http from 'node:http';

/** What the writer puts where a machine view shows it: the time of its commit's beginning, Unix ms. */
const STAMP = /"errorDescription":"(\d{13})"/g;

export interface Streams {
  /** Milliseconds from the writer's commit to the reader, of every event of every stream so far. */
  lags: number[];
  close(): void;
}

/** Opens so many event streams; resolves when all of them are served. */
export async function openStreams(port: number, key: string, count: number): Promise<Streams> {
  const lags: number[] = [];
  const requests = await Promise.all(Array.from({ length: count }, () => open(port, key, lags)));
  return {
    lags,
    close() {
      for (const request of requests) request.destroy();
    },
  };
}

function open(port: number, key: string, lags: number[]): Promise<http.ClientRequest> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const request = http.get({ host: '127.0.0.1', port, path: '/api/v1/events/stream', headers, agent: false });
    request.once('error', reject);
    request.once('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`the stream was answered with ${response.statusCode}`));
      response.setEncoding('latin1');
      let rest = '';
      response.on('data', (chunk: string) => {
        const now = Date.now();
        const end = (rest + chunk).lastIndexOf('\n');
        const text = (rest + chunk).slice(0, end + 1);
        rest = (rest + chunk).slice(end + 1);
        // Not parsed as JSON: fifty readers share two cores with the region.
        for (const match of text.matchAll(STAMP)) lags.push(now - Number(match[1]));
      });
      // Cut by us at the end.
      response.on('error', () => undefined);
      request.removeListener('error', reject);
      request.on('error', () => undefined);
      resolve(request);
    });
  });
}
