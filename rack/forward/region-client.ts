import type { IncomingMessage } from 'node:http';
import type { Identity } from '../identity/identity.ts';
import { type ForwardedClient, SELF, signedHeaders } from '../identity/signed-headers.ts';
import type { RegionTransport } from '../region/transport.ts';

/** Signed HTTP to the region. */
export interface RegionClient {
  /** Signed GET of the rack itself; resolves with the response's head, body unread. Rejects when the region is away. */
  get(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<IncomingMessage>;
  /** Signed request on behalf of a machine. Rejects when the region is away or silent for `timeoutMs`. */
  forward(
    method: string,
    path: string,
    headers: Record<string, string | string[]>,
    body: Buffer,
    client: ForwardedClient,
    timeoutMs: number,
  ): Promise<IncomingMessage>;
}

const GET_SILENCE_MS = 30_000;

/** The transport stays its opener's: who closes it ends what is under way here. */
export function createRegionClient(transport: RegionTransport, identity: Identity): RegionClient {
  function send(
    method: string,
    path: string,
    headers: Record<string, string | string[]>,
    body: Buffer,
    client: ForwardedClient,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const all = { ...headers, ...signedHeaders(identity, method, path, client, Date.now()) };
      if (body.length > 0 || (method !== 'GET' && method !== 'HEAD')) all['content-length'] = String(body.length);
      const outgoing = transport.request({ path, method, headers: all, timeout: timeoutMs, signal }, resolve);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`the region did not answer in ${timeoutMs} ms`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  return {
    get: (path, headers, signal) => send('GET', path, headers, Buffer.alloc(0), SELF, GET_SILENCE_MS, signal),
    forward: (method, path, headers, body, client, timeoutMs) => send(method, path, headers, body, client, timeoutMs),
  };
}
