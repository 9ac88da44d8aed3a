import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ListenAddress } from './command-line.ts';

/** What a rack may ask for over its socket: the link, blobs, and what it forwards for machines. */
const RACK_PATHS = /^\/+(rack\/v1\/|agent\/|MAAS\/metadata\/|MAAS\/api\/2\.0\/machines\/?(\?|$))/;

export const isRackPath = (url: string | undefined): boolean => RACK_PATHS.test(url ?? '');

export interface Listening {
  /** Port on TCP, also when 0 was asked for. */
  port: number;
  /** Stops accepting and cuts what is open. */
  close(): Promise<void>;
}

/** Sockets of the local administrator; held weakly, so nothing is to be forgotten. */
const localSockets = new WeakSet<Duplex>();

/** The request came over DIR/run/api.sock (0600). */
export const isLocalAdmin = (request: { socket: Duplex }): boolean => localSockets.has(request.socket);

/**
 * Serves the application on TCP and on two unix sockets, the first of which the caller has claimed. Call after
 * `app.ready()`. Throws when the port is taken.
 */
export async function listen(
  app: FastifyInstance,
  addresses: { tcp: ListenAddress; apiSocket: string; rackSocket: string },
): Promise<Listening> {
  await claimSocket(addresses.rackSocket);
  const route = (request: http.IncomingMessage, response: http.ServerResponse) => app.routing(request, response);
  const onlyRack = (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (isRackPath(request.url)) return route(request, response);
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not Found');
  };
  const api = http.createServer(route);
  api.on('connection', (socket) => localSockets.add(socket));
  const rack = http.createServer(onlyRack);
  for (const server of [api, rack]) {
    // Long polls and streams stay open by design; each has its own limit.
    server.requestTimeout = 0;
    server.keepAliveTimeout = 65_000;
    // The link's upgrade handler is attached to the application's own server.
    server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  }
  await app.listen({ host: addresses.tcp.host, port: addresses.tcp.port, backlog: 1024 });
  await listenUnix(api, addresses.apiSocket);
  await listenUnix(rack, addresses.rackSocket);
  const bound = app.server.address();
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : addresses.tcp.port,
    async close() {
      for (const server of [api, rack]) {
        server.close();
        server.closeAllConnections();
      }
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/**
 * Removes a socket that nobody listens on any more. Throws when somebody does: a second region on one state directory
 * would fight the first one for its database server.
 */
export async function claimSocket(path: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path);
    probe.setTimeout(1000, () => probe.destroy(new Error('no answer')));
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answered) throw new Error(`another region already serves ${path}: stop it, or choose another --state`);
  await rm(path, { force: true });
}

async function listenUnix(server: http.Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The file must never be open to others, not even for a moment; bind happens within this call.
    const before = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(before);
  });
  await chmod(path, 0o600);
}
