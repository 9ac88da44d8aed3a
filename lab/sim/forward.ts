import { Agent, request } from 'node:http';
import type { ForwardedFor, SimulatedIdentity } from './identity.ts';

export interface Answer {
  status: number;
  text: string;
}

export interface ForwardRequest {
  method: 'GET' | 'POST';
  /** With query. */
  path: string;
  headers: Record<string, string>;
  body: string | null;
  client: ForwardedFor;
  signal: AbortSignal;
}

export interface Forwarder {
  /** Rejects when the region is away or silent for 90 s. */
  send(question: ForwardRequest): Promise<Answer>;
  close(): void;
}

const SILENCE_MS = 90_000;
const ANSWER_LIMIT = 8 << 20;

/** A machine's request to the region, signed by the rack, over the region's unix socket. */
export function createForwarder(socketPath: string, identity: SimulatedIdentity): Forwarder {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return {
    send: ({ method, path, headers, body, client, signal }) =>
      new Promise((resolve, reject) => {
        const signed = { ...headers, ...identity.headers(method, path, client, Date.now()) };
        const outgoing = request(
          {
            socketPath,
            agent,
            method,
            path,
            signal,
            timeout: SILENCE_MS,
            headers: body === null ? signed : { ...signed, 'content-length': String(Buffer.byteLength(body)) },
          },
          (response) => {
            const parts: Buffer[] = [];
            let size = 0;
            response.on('data', (part: Buffer) => {
              size += part.length;
              if (size > ANSWER_LIMIT) outgoing.destroy(new Error('the answer is too long'));
              else parts.push(part);
            });
            response.on('error', reject);
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
            );
          },
        );
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${SILENCE_MS / 1000} s`)));
        outgoing.on('error', reject);
        outgoing.end(body ?? undefined);
      }),
    close: () => agent.destroy(),
  };
}
