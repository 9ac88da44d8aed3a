import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientOptions } from 'ws';
import { type RegionAddress, regionUrl } from './address.ts';

/** Requests and the link go to the region by this, whichever way it is reached. */
export interface RegionTransport {
  /** As http.request; the connection is this transport's business and is kept for the next request. */
  request(options: RequestOptions, answered: (answer: IncomingMessage) => void): ClientRequest;
  /** Where the link is dialled, and with what. */
  link: { url: string; options: ClientOptions };
  close(): void;
}

const KEEP = { keepAlive: true, maxSockets: 256, timeout: 120_000 } as const;
/** A host that is off answers nothing; machines should hear that the region is away, not wait. */
const CONNECT_MS = 5000;
const LINK_PATH = '/rack/v1/link';

/**
 * Trust in the region: its certificate must be signed by the CA of our enrolment and be good for the name or address by
 * which we call it. The host's own CAs and NODE_TLS_REJECT_UNAUTHORIZED have no say. `servername` is set, or Node would
 * take it from the Host header, which is the machine's in what we forward; for an address it must be empty (RFC 6066 §3),
 * and Node compares the address with the certificate's.
 */
function pinnedTls({ host, ca }: { host: string; ca: string }) {
  return { ca, servername: isIP(host) === 0 ? host : '', rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
}

function limitConnecting(outgoing: ClientRequest): void {
  outgoing.once('socket', (socket) => {
    // One that was kept from an earlier request.
    if (!socket.connecting) return;
    const timer = setTimeout(() => outgoing.destroy(new Error(`no connection in ${CONNECT_MS} ms`)), CONNECT_MS);
    const done = () => clearTimeout(timer);
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', done).once('close', done);
  });
}

export function openTransport(address: RegionAddress): RegionTransport {
  if (address.kind === 'unix') {
    const agent = new Agent(KEEP);
    return {
      request: (options, answered) => httpRequest({ ...options, socketPath: address.path, agent }, answered),
      link: { url: `ws+unix:${address.path}:${LINK_PATH}`, options: {} },
      close: () => agent.destroy(),
    };
  }
  const tls = pinnedTls(address);
  const agent = new TlsAgent({ ...KEEP, ...tls });
  const { host, port } = address;
  return {
    request(options, answered) {
      const outgoing = httpsRequest({ ...options, host, port, agent }, answered);
      limitConnecting(outgoing);
      return outgoing;
    },
    link: { url: `${regionUrl(address).replace('https:', 'wss:')}${LINK_PATH}`, options: tls },
    close: () => agent.destroy(),
  };
}

const TRUST = /^(SELF_SIGNED_CERT|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_TLS_CERT_ALTNAME)/;

/** What to do about an error of a connection, when it is one of trust; null when the region is only away. */
export function trustProblem(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!TRUST.test(code)) return null;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'the region’s certificate is not for this name: start the region with --rack-name NAME, or use a name it has';
  }
  if (code.startsWith('CERT_HAS_EXPIRED') || code.startsWith('CERT_NOT_YET')) {
    return 'the region’s certificate is not good at this time: set the clocks, or restart the region so that it renews it';
  }
  return 'the region’s certificate is not of the CA that this rack enrolled with: it is another region, or it lost DIR/tls; enrol anew with `ingot rack token`';
}
