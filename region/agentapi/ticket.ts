import { type KeyObject, verify } from 'node:crypto';
import { TicketBody } from '@ingot/contract/agent.ts';

/** Tickets of unknown machines have no attempt that ends them, so they age. Racks' clocks may be a little ahead. */
const ENLIST_TICKET_MS = 24 * 60 * 60_000;
const AHEAD_MS = 10 * 60_000;

/** Splits and decodes a ticket without believing it. Null when it is not one. */
function decode(ticket: string): { signed: string; body: TicketBody; signature: Buffer } | null {
  const [signed, signature, ...rest] = ticket.split('.');
  if (signed === undefined || signature === undefined || rest.length > 0) return null;
  try {
    const body = TicketBody.safeParse(JSON.parse(Buffer.from(signed, 'base64url').toString('utf8')));
    return body.success ? { signed, body: body.data, signature: Buffer.from(signature, 'base64url') } : null;
  } catch {
    return null;
  }
}

/** The rack that a ticket says it is from; used only to find the key that proves it. */
export function claimedRack(ticket: string): string | null {
  return decode(ticket)?.body.rack ?? null;
}

/** The content of a ticket that the holder of `key` signed; null when forged, broken, or (without attempt) too old. */
export function readTicket(ticket: string, key: KeyObject, now: number): TicketBody | null {
  const parts = decode(ticket);
  if (!parts || !verify(null, Buffer.from(parts.signed), key, parts.signature)) return null;
  const { body } = parts;
  if (body.nonce.length < 8 || body.nonce.length > 128) return null;
  if (body.attempt === null && (now - body.issued > ENLIST_TICKET_MS || body.issued - now > AHEAD_MS)) return null;
  return body;
}
