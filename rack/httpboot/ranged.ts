import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerText } from './answer.ts';
import { byteRange } from './byte-range.ts';

/** What of a file is to be sent; the head has been written. */
export interface Part {
  start: number;
  length: number;
}

/**
 * Answers the head of a GET or HEAD of something with a strong ETag: whole, a range (RFC 9110 §14), or unchanged. Null: that was
 * all, no body follows.
 */
export function answerHead(
  request: IncomingMessage,
  response: ServerResponse,
  { etag, size }: { etag: string; size: number },
  more: Record<string, string> = {},
): Part | null {
  const headers: Record<string, string> = {
    etag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    ...more,
  };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return null;
  }
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? byteRange(request.headers.range, size) : null;
  if (range === 'unsatisfiable') {
    answerText(response, 416, 'range outside of the file\n', { 'content-range': `bytes */${size}` });
    return null;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const length = end - start + 1;
  headers['content-length'] = String(length);
  if (range) headers['content-range'] = `bytes ${start}-${end}/${size}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method !== 'HEAD' && length > 0) return { start, length };
  response.end();
  return null;
}
