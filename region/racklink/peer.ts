import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { RegionDeps } from '../deps.ts';
import type { Peer } from './admit.ts';
import { type NotSigned, whoSigned } from './forwarded.ts';

/**
 * The request came over one of our unix sockets. They lie in DIR/run with mode 0600, so whoever can connect could read
 * the database anyway.
 */
function isLocalPeer(request: IncomingMessage): boolean {
  const { socket } = request;
  // TLS comes over the network alone, whatever its wrapped handle still knows of its addresses.
  if (socket instanceof TLSSocket) return false;
  // The own side is asked, not the peer's: the kernel forgets a TCP peer's address on a reset, its own never, so no TCP
  // connection can pass for a unix one. Injected requests of tests have no Socket at all.
  return socket instanceof Socket && !socket.destroyed && socket.localAddress === undefined;
}

/** A local peer, one that signs as an enrolled rack, or why it is neither. */
export async function identifyPeer(
  deps: Pick<RegionDeps, 'db'>,
  request: IncomingMessage,
): Promise<{ ok: true; peer: Peer } | { ok: false; refusal: NotSigned }> {
  if (isLocalPeer(request)) return { ok: true, peer: { kind: 'local' } };
  const { method = 'GET', url = '/', headers } = request;
  const signed = await whoSigned(deps, { method, url, headers });
  return signed.ok ? { ok: true, peer: { kind: 'signed', rackId: signed.from.rackId } } : signed;
}
