import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ImageCache } from '../imagecache/cache.ts';
import { answerAway, answerText } from './answer.ts';
import { answerHead } from './ranged.ts';
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
  const cached = { 'cache-control': 'public, immutable, max-age=31536000' };
  const part = answerHead(request, response, { etag: `"${sha256}"`, size: found.size }, cached);
  return part === null ? 0 : await sendFile(response, found.path, part.start, part.length);
}
