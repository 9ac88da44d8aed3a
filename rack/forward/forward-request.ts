import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { answerAway, answerText } from '../httpboot/answer.ts';
import type { ForwardedClient } from '../identity/signed-headers.ts';
import type { RegionClient } from './region-client.ts';

/** A script's outcome carries up to 3 × 1 MiB in base64 and its result. */
const BODY_LIMIT = 8 * 1024 * 1024;
/** Of all requests together: thousands of machines never send at once what a single one may. */
const HELD_LIMIT = 256 * 1024 * 1024;
let held = 0;
/** Longer than any long poll of the agent. */
const REGION_SILENCE_MS = 100_000;

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
]);

/** What a machine says about itself in x-ingot-* is not believed: those names are ours. */
function passedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name) && !name.startsWith('x-ingot-')) out[name] = value;
  }
  return out;
}

/** Hands a machine's request to the region, signed, and the answer back. Returns bytes sent to the machine. */
export async function forwardRequest(
  region: RegionClient,
  path: string,
  client: ForwardedClient,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const body = await readBody(request);
  if (body === 'no room') return answerAway(response, 'The rack has too many requests in hand.');
  try {
    return await passOn(region, path, client, request, response, body);
  } finally {
    held -= body?.length ?? 0;
  }
}

async function passOn(
  region: RegionClient,
  path: string,
  client: ForwardedClient,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | null,
): Promise<number> {
  if (body === null) return answerText(response, 413, `bodies are limited to ${BODY_LIMIT} bytes\n`);
  let answer: IncomingMessage;
  try {
    const method = request.method ?? 'GET';
    answer = await region.forward(method, path, passedHeaders(request.headers), body, client, REGION_SILENCE_MS);
  } catch (error) {
    if (response.destroyed) return 0;
    return answerAway(response, `The region is away: ${error instanceof Error ? error.message : error}`);
  }
  const headers = passedHeaders(answer.headers);
  if (answer.headers['content-length'] !== undefined) headers['content-length'] = answer.headers['content-length'];
  response.writeHead(answer.statusCode ?? 502, headers);
  let sent = 0;
  answer.on('data', (chunk: Buffer) => {
    sent += chunk.length;
  });
  await pipeline(answer, response).catch(() => undefined);
  return sent;
}

/** Null when longer than allowed; the rest is not read. What it gives counts as held until the caller takes it off. */
async function readBody(request: IncomingMessage): Promise<Buffer | null | 'no room'> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  let whole = false;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      held += chunk.length;
      if (size > BODY_LIMIT) return null;
      if (held > HELD_LIMIT) return 'no room';
      chunks.push(chunk);
    }
    whole = true;
    return Buffer.concat(chunks);
  } finally {
    if (!whole) held -= size;
  }
}
