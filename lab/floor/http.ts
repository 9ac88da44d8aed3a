import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, stat } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

const POST_LIMIT = 16 << 20;

/**
 * The recipe's HTTP server: files below `root`, and POST /posted/NAME kept beside them. Each request is one JSON line
 * {atMs, what} in `log` when its answer is complete.
 */
export async function serveFloor(root: string, address: string, port: number, log: string): Promise<void> {
  const note = (what: string) => appendFile(log, `${JSON.stringify({ atMs: Date.now(), what })}\n`);
  const server = http.createServer((request, response) => {
    const url = path.posix.normalize(request.url ?? '/').replace(/\?.*$/, '');
    const file = path.join(root, url);
    const what = `${request.method} ${url}`;
    response.once('finish', () => void note(what));
    const missing = () => {
      // OVMF's HTTP client stalls six seconds on an answer without a body.
      response.writeHead(404, { 'content-length': 10, connection: 'close' }).end('not found\n');
    };
    if (request.method === 'POST' && url.startsWith('/posted/')) {
      let size = 0;
      request.on('data', (data: Buffer) => {
        size += data.length;
        if (size > POST_LIMIT) request.destroy();
      });
      request.pipe(createWriteStream(file)).once('finish', () => response.writeHead(204).end());
      return;
    }
    stat(file).then((found) => {
      if (!found.isFile()) return missing();
      response.writeHead(200, { 'content-length': found.size });
      if (request.method === 'HEAD') return response.end();
      return createReadStream(file).pipe(response);
    }, missing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
}
