import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from '../store/schema.ts';

/** Base64 of the SPKI DER of an Ed25519 public key → key; null when it is anything else. */
export function readPublicKey(text: string): KeyObject | null {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : null;
  } catch {
    return null;
  }
}

/** A rack's key hardly ever changes, and every forwarded request needs it. */
const KEEP_MS = 10_000;
const MOST_KEPT = 1_000;

type Kept = Map<string, { key: KeyObject | null; until: number }>;
const kept = new WeakMap<Kysely<Tables>, Kept>();

function keptFor(db: Kysely<Tables>): Kept {
  const known = kept.get(db);
  if (known) return known;
  const fresh: Kept = new Map();
  kept.set(db, fresh);
  return fresh;
}

/** The public key of an enrolled rack, or null. */
export async function rackKey(db: Kysely<Tables>, rackId: string): Promise<KeyObject | null> {
  const keys = keptFor(db);
  const found = keys.get(rackId);
  if (found && found.until > Date.now()) return found.key;
  const row = await db.selectFrom('racks').select('public_key').where('system_id', '=', rackId).executeTakeFirst();
  const key = row ? readPublicKey(row.public_key) : null;
  if (keys.size >= MOST_KEPT) keys.clear();
  // An unknown rack is asked for again at once: it may be enrolling right now.
  if (key) keys.set(rackId, { key, until: Date.now() + KEEP_MS });
  return key;
}

export function forgetRackKey(db: Kysely<Tables>, rackId: string): void {
  kept.get(db)?.delete(rackId);
}
