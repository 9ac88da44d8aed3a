import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import os from 'node:os';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { RackDoor } from '../deps.ts';
import type { NotSigned } from '../racklink/forwarded.ts';
import { loadServerTls } from './authority.ts';
import type { ListenAddress } from './command-line.ts';
import { isRackPath } from './listen.ts';
import { certificateNames, rackUrl } from './own-names.ts';

const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 20_000;
/** A script's outcome of 8 MiB over a slow line. Long polls are not meant: they wait for the answer. */
const REQUEST_MS = 120_000;
/** Racks keep a few hundred connections each at most. */
const MOST_CONNECTIONS = 16_384;
const LOOK_AGAIN_MS = 12 * 3600 * 1000;

export interface RackListenerOptions {
  address: ListenAddress;
  /** Further names by which racks reach it; the first one stands in tokens. */
  names: readonly string[];
  /** DIR/tls */
  tlsDir: string;
  /** Null: the request may go on; else why not. Asked for everything but an enrolment. */
  admit(request: IncomingMessage): Promise<NotSigned | null>;
  log: Logger;
}

export interface RackListener {
  door: RackDoor;
  close(): Promise<void>;
}

function refuse(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

/**
 * Lets racks of other hosts in: TLS with a certificate of the region's own CA, the paths of rack.sock and nothing else, and
 * all but the enrolment only when an enrolled rack has signed it. Call after `app.ready()`. Throws when the port is taken
 * or no certificate can be made.
 */
export async function listenForRacks(app: FastifyInstance, options: RackListenerOptions): Promise<RackListener> {
  const { address, names, tlsDir, log } = options;
  const hostNow = () => ({ hostname: os.hostname(), interfaces: os.networkInterfaces() });
  const load = () => loadServerTls(tlsDir, certificateNames(hostNow(), address, names), Date.now());
  let shown = await load();

  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isRackPath(request.url)) {
      return refuse(response, 404, refusal('not_found', {}, { message: 'Racks have no business at this path.' }));
    }
    const enrols = request.method === 'POST' && request.url === '/rack/v1/enroll';
    const denied = enrols ? null : await options.admit(request);
    if (denied === null) return app.routing(request, response);
    const { status, ...body } = denied;
    refuse(response, status, body);
  };

  const secure = { minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_MS } as const;
  const server = https.createServer({ ...secure, key: shown.key, cert: shown.cert }, (request, response) => {
    onRequest(request, response).catch((error: unknown) => {
      log.error({ err: error, url: request.url }, 'request of a rack not looked at');
      if (response.headersSent) response.destroy();
      else refuse(response, 503, refusal('rack.region_away', { why: 'The region cannot look now.' }));
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.keepAliveTimeout = 65_000;
  server.on('tlsClientError', (error) =>
    log.debug({ error: error.message }, 'no TLS with whoever came to the racks’ port'),
  );
  // The link's upgrade handler, which asks for the signature itself, is attached to the application's own server.
  server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));

  server.listen(address.port, address.host);
  await once(server, 'listening');
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : address.port;
  const url = rackUrl(hostNow(), { host: address.host, port }, names);
  log.info({ url, fingerprint: shown.fingerprint, until: shown.notAfter }, 'racks of other hosts may come in');

  // A region runs for longer than a certificate's last month, and a host may get another address meanwhile.
  const look = setInterval(() => {
    load().then(
      (tls) => {
        if (tls.cert === shown.cert) return;
        shown = tls;
        server.setSecureContext({ ...secure, key: tls.key, cert: tls.cert });
        log.info({ until: tls.notAfter }, 'the certificate for racks is new');
      },
      (error: unknown) => log.error({ err: error }, 'the certificate for racks was not renewed'),
    );
  }, LOOK_AGAIN_MS);
  look.unref();
  return {
    door: { url, fingerprint: shown.fingerprint },
    async close() {
      clearInterval(look);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      // Links are cut by the application, whose sockets they are; nobody waits for them here.
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    },
  };
}
