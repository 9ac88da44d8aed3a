import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocketServer } from 'ws';
import type { RegionDeps } from '../deps.ts';
import { pruneUnattached } from '../evidence/rows.ts';
import { admitRack, type Peer } from './admit.ts';
import { registerBlobRoute } from './blob-route.ts';
import { registerEnrolment } from './enroll.ts';
import { forwardedFrom } from './forwarded.ts';
import { parseWireJson } from './json-text.ts';
import { runLink } from './link.ts';
import { isLocalPeer } from './peer.ts';
import { regionParts } from './region-parts.ts';

const LINK_PATH = '/rack/v1/link';
/** 2,000 leases or 500 pieces of evidence stay well below. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
const PRUNE_MS = 10 * 60_000;

function refuseUpgrade(socket: Duplex, status: '403 Forbidden' | '404 Not Found'): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

async function peerOf(deps: RegionDeps, request: IncomingMessage): Promise<Peer | null> {
  if (isLocalPeer(request)) return { kind: 'local' };
  const { method = 'GET', url = '/', headers } = request;
  const from = await forwardedFrom(deps, { method, url, headers });
  return from ? { kind: 'signed', rackId: from.rackId } : null;
}

/**
 * The racks' side door: the link, image blobs, enrolment of remote racks. Register it on every server that listens where
 * racks come in; the link is opened on the server's own `upgrade` event.
 */
export function registerRackLink(app: FastifyInstance, deps: RegionDeps): void {
  const parts = regionParts(deps);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES, perMessageDeflate: false });

  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if ((request.url ?? '').split('?')[0] !== LINK_PATH) {
      if (app.server.listenerCount('upgrade') === 1) refuseUpgrade(socket, '404 Not Found');
      return;
    }
    socket.on('error', (error) => deps.log.warn({ err: error }, 'rack link broke while opening'));
    peerOf(deps, request)
      .then((peer) => {
        if (!peer) return refuseUpgrade(socket, '403 Forbidden');
        sockets.handleUpgrade(request, socket, head, (link) =>
          runLink(link, {
            parts,
            changes: deps.changes,
            log: deps.log,
            admit: (hello) => admitRack(deps, peer, hello),
          }),
        );
      })
      .catch((error) => {
        deps.log.error({ err: error }, 'rack link not opened');
        socket.destroy();
      });
  });

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: 65_536 }, (_request, body, done) => {
      done(null, parseWireJson(body.toString()));
    });
    registerBlobRoute(scope, deps);
    registerEnrolment(scope, deps);
  });

  const prune = setInterval(
    () => void pruneUnattached(deps.db).catch((error) => deps.log.warn({ err: error }, 'loose evidence not pruned')),
    PRUNE_MS,
  );
  prune.unref();
  // Before the server stops listening: open links would keep it from closing.
  app.addHook('preClose', async () => {
    clearInterval(prune);
    for (const link of sockets.clients) link.close(1001, 'region stops');
  });
}
