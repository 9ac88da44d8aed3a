import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocketServer } from 'ws';
import type { RegionDeps } from '../deps.ts';
import { pruneUnattached } from '../evidence/rows.ts';
import { admitRack } from './admit.ts';
import { registerBlobRoute } from './blob-route.ts';
import { registerEnrolment } from './enroll.ts';
import { parseWireJson } from './json-text.ts';
import { runLink } from './link.ts';
import { identifyPeer } from './peer.ts';
import { regionParts } from './region-parts.ts';

const LINK_PATH = '/rack/v1/link';
/** 2,000 leases or 500 pieces of evidence stay well below. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
const PRUNE_MS = 10 * 60_000;

const REASONS = { 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found' } as const;

/** Answers an upgrade with a plain refusal that a person can read in the rack's log. */
function refuseUpgrade(
  socket: Duplex,
  { status, ...body }: { status: 401 | 403 | 404; code: string; message: string },
) {
  const text = JSON.stringify(body);
  const head = `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}`;
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\nconnection: close\r\n${head}\r\n\r\n${text}`);
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
      const nothing = { status: 404, code: 'not_found', message: 'There is nothing to upgrade to here.' } as const;
      if (app.server.listenerCount('upgrade') === 1) refuseUpgrade(socket, nothing);
      return;
    }
    socket.on('error', (error) => deps.log.warn({ err: error }, 'rack link broke while opening'));
    identifyPeer(deps, request)
      .then((asking) => {
        if (!asking.ok) return refuseUpgrade(socket, asking.refusal);
        const { peer } = asking;
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
