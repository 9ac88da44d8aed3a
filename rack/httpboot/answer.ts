import type { ServerResponse } from 'node:http';
import { refusal } from '@ingot/core/machine/catalogue.ts';

/**
 * Every answer has a body and its length, errors close the connection: OVMF's HTTP client stalls for six seconds on a
 * 404 without a body.
 */
export function answerText(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): number {
  const bytes = Buffer.from(body);
  const closing: Record<string, string> = status >= 400 ? { connection: 'close' } : {};
  const type = 'text/plain; charset=utf-8';
  response.writeHead(status, { 'content-type': type, 'content-length': String(bytes.length), ...closing, ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
  return bytes.length;
}

/** The region (or what only it can give) is not there now; agents, cloud-init and the initramfs try again. */
export function answerAway(response: ServerResponse, why: string): number {
  const body = { ...refusal('rack.region_away', { why }), field: null };
  return answerText(response, 503, `${JSON.stringify(body)}\n`, {
    'retry-after': '2',
    'content-type': 'application/json',
  });
}
