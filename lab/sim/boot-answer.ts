import { randomBytes } from 'node:crypto';
import type { BootEntry, BootImage, Snapshot } from '@ingot/contract/rack.ts';
import type { SimulatedIdentity } from './identity.ts';

/** What a machine that asks for its boot script gets. */
export type BootAnswer =
  | { kind: 'ephemeral'; entry: BootEntry | null; image: BootImage; ticket: string }
  | { kind: 'local'; entry: BootEntry | null }
  | { kind: 'poweroff'; entry: BootEntry }
  /** Ask again in a moment. */
  | { kind: 'wait' };

export function bootAnswer(
  snapshot: Snapshot | null,
  entry: BootEntry | null,
  mac: string,
  identity: SimulatedIdentity,
  now: number,
): BootAnswer {
  if (snapshot === null) return { kind: 'wait' };
  if (entry === null && !snapshot.enlist) return { kind: 'local', entry };
  if (entry?.target === 'local') return { kind: 'local', entry };
  if (entry?.target === 'poweroff') return { kind: 'poweroff', entry };
  const [image] = snapshot.ephemeral;
  if (!image || (entry !== null && entry.attempt === null && entry.enlist !== true)) return { kind: 'wait' };
  const ticket = identity.ticket({
    machine: entry?.systemId ?? null,
    attempt: entry?.attempt ?? null,
    mac,
    nonce: randomBytes(16).toString('base64url'),
    issued: now,
  });
  return { kind: 'ephemeral', entry, image, ticket };
}
