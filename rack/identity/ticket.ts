import type { TicketBody } from '@ingot/contract/agent.ts';
import type { Identity } from './identity.ts';

/** base64url(JSON) "." base64url(Ed25519 signature of the first part); goes on the kernel command line. */
export function signTicket(identity: Identity, body: Omit<TicketBody, 'rack'>): string {
  const first = Buffer.from(JSON.stringify({ rack: identity.rack, ...body } satisfies TicketBody)).toString(
    'base64url',
  );
  return `${first}.${identity.sign(first).toString('base64url')}`;
}
