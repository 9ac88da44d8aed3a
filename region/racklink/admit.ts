import type { RegionDeps } from '../deps.ts';
import { checkEnrolment } from './enroll.ts';
import type { Hello } from './link-parts.ts';
import { forgetRackKey } from './rack-keys.ts';
import { findRack, saveRack } from './rack-rows.ts';

/** Who dialled: over our unix socket, or over the network as the rack whose key signed the request. */
export type Peer = { kind: 'local' } | { kind: 'signed'; rackId: string };

/**
 * Whether a rack's hello is answered. Over the unix socket, which only the owner of the state directory can open, a rack
 * enrols by showing its key; over the network it must be enrolled and have signed as the rack that it says it is.
 */
export async function admitRack(
  deps: Pick<RegionDeps, 'db'>,
  peer: Peer,
  hello: Hello,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  const known = await findRack(deps.db, hello.rack);
  if (peer.kind === 'signed') {
    return known && peer.rackId === hello.rack ? { ok: true } : { ok: false, reason: 'not the rack that signed' };
  }
  const publicKey = hello.publicKey ?? known?.publicKey;
  if (publicKey === undefined) return { ok: false, reason: 'a new rack shows its public key' };
  const checked = checkEnrolment({ id: hello.rack, name: hello.name, publicKey });
  if (!checked.ok) return { ok: false, reason: checked.message };
  if (known?.publicKey !== publicKey) {
    await saveRack(deps.db, { id: hello.rack, name: hello.name, publicKey });
    forgetRackKey(deps.db, hello.rack);
  }
  return { ok: true };
}
