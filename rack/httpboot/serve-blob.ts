import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ImageCache } from '../imagecache/cache.ts';
import { answerAway, answerText } from './answer.ts';
import { byteRange } from './byte-range.ts';
import { sendFile } from './send-file.ts';

/** GET or HEAD of an image file, filled from the region first when it is not here. Returns the bytes sent. */
export async function serveBlob(
  cache: ImageCache,
  sha256: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const found = await cache.get(sha256);
  if (found.kind === 'missing') return answerText(response, 404, 'no such blob\n');
  if (found.kind === 'unavailable') return answerAway(response, found.why);
  const etag = `"${sha256}"`;
  const headers: Record<string, string> = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'public, immutable, max-age=31536000',
    'content-type': 'application/octet-stream',
  };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return 0;
  }
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? byteRange(request.headers.range, found.size) : null;
  if (range === 'unsatisfiable') {
    return answerText(response, 416, 'range outside of the file\n', { 'content-range': `bytes */${found.size}` });
  }
  const { start, end } = range ?? { start: 0, end: found.size - 1 };
  const length = end - start + 1;
  headers['content-length'] = String(length);
  if (range) headers['content-range'] = `bytes ${start}-${end}/${found.size}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return 0;
  }
  return await sendFile(response, found.path, start, length);
}
