import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { failureOf, HttpFailure } from './failure.ts';

/** How long one exchange may take, redirects included, and how much it may bring. */
export interface HttpLimits {
  deadlineMs: number;
  maxBytes: number;
  redirects: number;
}

/** BMCs answer slowly, most of all while their host starts; what they say about one system is some ten KiB. */
export const DEFAULT_LIMITS: HttpLimits = { deadlineMs: 20_000, maxBytes: 1 << 20, redirects: 5 };

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: URL;
  /** Credentials among them: sent to the origin of `url` and to no other. */
  headers: Readonly<Record<string, string>>;
  body?: string;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One connection at a time, kept open between exchanges: a TLS handshake costs a BMC a second. */
export interface HttpConnection {
  exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  close(): void;
}

/**
 * `verify` false: the certificate is not looked at. Redirects are followed only to the very origin that was asked, with
 * method and body as they were (303: a GET). Throws HttpFailure; the signal's reason when it was aborted.
 */
export function openConnection(options: { verify: boolean; limits?: Partial<HttpLimits> }): HttpConnection {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const tls = new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: options.verify });
  const plain = new PlainAgent({ keepAlive: true, maxSockets: 1 });
  const agentOf = (url: URL) => (url.protocol === 'https:' ? tls : plain);
  return {
    exchange: async (asked, signal) => {
      const deadline = AbortSignal.timeout(limits.deadlineMs);
      const both = AbortSignal.any([signal, deadline]);
      try {
        let current = asked;
        for (let hop = 0; hop <= limits.redirects; hop++) {
          const answer = await once(current, agentOf(current.url), limits.maxBytes, both);
          const location = answer.headers.location;
          if (!isRedirect(answer.status) || location === undefined) return answer;
          current = redirected(current, answer.status, location);
        }
        throw new HttpFailure('fatal', `${asked.url.host} redirected more than ${limits.redirects} times`);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (deadline.aborted && !(error instanceof HttpFailure)) {
          throw new HttpFailure('connection', `${asked.url.host} did not answer in ${limits.deadlineMs / 1000} s`);
        }
        throw failureOf(error, asked.url.host);
      }
    },
    close: () => {
      tls.destroy();
      plain.destroy();
    },
  };
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status);

/** What to ask next. Another origin is refused: it would be handed the credentials. */
function redirected(from: HttpRequest, status: number, location: string): HttpRequest {
  const to = URL.canParse(location, from.url.href) ? new URL(location, from.url) : null;
  if (to === null) throw new HttpFailure('fatal', `${from.url.host} redirected to something that is no address`);
  if (to.origin !== from.url.origin) {
    const why = `${from.url.host} redirected to ${to.origin}: not followed, as the credentials are for ${from.url.origin} alone`;
    throw new HttpFailure('fatal', why);
  }
  if (status !== 303) return { ...from, url: to };
  return { method: 'GET', url: to, headers: from.headers };
}

function once(
  asked: HttpRequest,
  agent: PlainAgent | TlsAgent,
  maxBytes: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { url, method, body } = asked;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  // Some services pack their answers unless told not to.
  const headers = { 'accept-encoding': 'identity', ...asked.headers, ...length };
  const start = url.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const request = start(url, { method, headers, agent, signal }, (response) => {
      read(response, url.host, maxBytes).then(
        (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        (error: unknown) => {
          request.destroy();
          reject(error);
        },
      );
    });
    // Not once: an error after the first would end the process.
    request.on('error', reject);
    request.end(body);
  });
}

async function read(response: IncomingMessage, host: string, maxBytes: number): Promise<string> {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new HttpFailure('fatal', `${host} packs its answers (${encoding})`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    const piece: Buffer = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > maxBytes) throw new HttpFailure('fatal', `${host} answered with more than ${maxBytes >> 10} KiB`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}
