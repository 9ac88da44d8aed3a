import { Agent, type IncomingMessage, request } from 'node:http';
import type { Identity } from '../identity/identity.ts';
import { type ForwardedClient, signedHeaders } from '../identity/signed-headers.ts';

/** Plain HTTP to the region over its unix socket. */
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
  close(): void;
}

const SELF: ForwardedClient = { address: '', mac: '', rackUrl: '' };
const GET_SILENCE_MS = 30_000;

export function createRegionClient(socketPath: string, identity: Identity): RegionClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: 120_000 });
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
      const outgoing = request({ socketPath, path, method, headers: all, agent, timeout: timeoutMs, signal }, resolve);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`the region did not answer in ${timeoutMs} ms`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  return {
    get: (path, headers, signal) => send('GET', path, headers, Buffer.alloc(0), SELF, GET_SILENCE_MS, signal),
    forward: (method, path, headers, body, client, timeoutMs) => send(method, path, headers, body, client, timeoutMs),
    close: () => agent.destroy(),
  };
}
