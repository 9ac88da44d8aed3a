import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { connect, createSecureContext } from 'node:tls';
import type { Answer, ForwardRequest } from '../sim/forward.ts';

/** A machine's way to its rack, from its own address: what the rack sees is what it would see of a real one. */
export interface RackConnection {
  /** A small text of the boot server. Rejects when it cannot be reached or does not answer in 10 s. */
  text(path: string, signal: AbortSignal): Promise<Answer>;
  /** Reads a file, at most `limit` bytes of it; returns how many it read. Rejects unless it is there. */
  read(url: string, limit: number, signal: AbortSignal): Promise<number>;
  /** From here on /agent/… goes to this server, which has to show a certificate of this sum. */
  trust(agentUrl: string, pin: string): void;
  forward(request: Omit<ForwardRequest, 'client'>): Promise<Answer>;
  close(): void;
}

const TEXT_MS = 10_000;
const SILENCE_MS = 90_000;
const TLS_MS = 30_000;
const ANSWER_LIMIT = 8 << 20;
/** One for all machines: each of its own would cost more than the connection. */
const context = createSecureContext();

/** `source` is the machine's address, `rackUrl` http://ADDRESS:PORT. */
export function openRackConnection(source: string, rackUrl: string): RackConnection {
  const plain = new http.Agent({ keepAlive: true, maxSockets: 2, localAddress: source });
  let agentServer: { url: string; agent: https.Agent } | null = null;

  function open(method: string, url: URL, more: http.RequestOptions): http.ClientRequest {
    const { hostname: host, port, pathname, search } = url;
    const options = { ...more, method, host, port, path: pathname + search, localAddress: source };
    if (url.protocol === 'http:') return http.request({ ...options, agent: plain });
    if (agentServer === null) throw new Error('no agent server was named at boot');
    return https.request({ ...options, agent: agentServer.agent });
  }

  function exchange(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: string | null,
    signal: AbortSignal,
    timeout: number,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const outgoing = open(method, url, { headers: { ...headers, ...length }, signal, timeout });
      outgoing.on('response', (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > ANSWER_LIMIT) outgoing.destroy(new Error('the answer is too long'));
          else parts.push(part);
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeout / 1000} s`)));
      outgoing.on('error', reject);
      outgoing.end(body ?? undefined);
    });
  }

  return {
    text: (path, signal) => exchange('GET', new URL(path, rackUrl), {}, null, signal, TEXT_MS),
    read: (url, limit, signal) =>
      new Promise((resolve, reject) => {
        const outgoing = open('GET', new URL(url, rackUrl), { signal, timeout: SILENCE_MS });
        outgoing.on('response', (response) => {
          if (response.statusCode !== 200) {
            outgoing.destroy(new Error(`${url}: ${response.statusCode}`));
            return;
          }
          let bytes = 0;
          response.on('data', (part: Buffer) => {
            bytes += part.length;
            if (bytes < limit) return;
            resolve(bytes);
            outgoing.destroy();
          });
          response.on('error', reject);
          response.on('end', () => resolve(bytes));
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error(`${url}: silence`)));
        outgoing.on('error', reject);
        outgoing.end();
      }),
    trust: (url, pin) => {
      agentServer?.agent.destroy();
      agentServer = { url, agent: pinnedAgent(source, pin) };
    },
    forward: ({ method, path, headers, body, signal }) => {
      const base = path.startsWith('/agent/') ? agentServer?.url : rackUrl;
      if (base === undefined) return Promise.reject(new Error('no agent server was named at boot'));
      return exchange(method, new URL(path, base), headers, body, signal, SILENCE_MS);
    },
    close: () => {
      plain.destroy();
      agentServer?.agent.destroy();
    },
  };
}

/** As the real agent trusts: only the certificate's sum counts, before any byte is sent. */
function pinnedAgent(source: string, pin: string): https.Agent {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 2 });
  const create = (
    { host, port }: { host?: string; port?: number | string },
    done: (error: Error | null, socket?: unknown) => void,
  ) => {
    const wire = net.connect({ host: host ?? '', port: Number(port), localAddress: source });
    const socket = connect({ socket: wire, secureContext: context, rejectUnauthorized: false });
    const fail = (error: Error) => {
      socket.destroy();
      wire.destroy();
      done(error);
    };
    wire.once('error', fail);
    socket.once('error', fail);
    socket.setTimeout(TLS_MS, () => fail(new Error(`no TLS answer in ${TLS_MS / 1000} s`)));
    socket.once('secureConnect', () => {
      const sum = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex');
      if (sum !== pin) return fail(new Error(`the rack shows the certificate ${sum}, promised was ${pin}`));
      wire.removeListener('error', fail);
      socket.removeListener('error', fail);
      socket.removeAllListeners('timeout');
      socket.setTimeout(0);
      done(null, socket);
    });
  };
  // Node's types leave createConnection out; the http module documents it as the hook for this purpose.
  return Object.assign(agent, { createConnection: create });
}
