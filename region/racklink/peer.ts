import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { RegionDeps } from '../deps.ts';
import { forwardedFrom } from './forwarded.ts';

/**
 * The request came over one of our unix sockets. They lie in DIR/run with mode 0600, so whoever can connect could read
 * the database anyway.
 */
export function isLocalPeer(request: IncomingMessage): boolean {
  const { socket } = request;
  // The own side is asked, not the peer's: the kernel forgets a TCP peer's address on a reset, its own never, so no TCP
  // connection can pass for a unix one. Injected requests of tests have no Socket at all.
  return socket instanceof Socket && !socket.destroyed && socket.localAddress === undefined;
}

/** A local peer, or one that signs as an enrolled rack. */
export async function isTrustedPeer(deps: Pick<RegionDeps, 'db'>, request: IncomingMessage): Promise<boolean> {
  if (isLocalPeer(request)) return true;
  const { method = 'GET', url = '/', headers } = request;
  return (await forwardedFrom(deps, { method, url, headers })) !== null;
}
