import type { Actor } from '@ingot/core/machine/model.ts';
import type { Caller } from '../deps.ts';

/** Who asks, and by which door they came in. */
export interface Principal {
  userId: number;
  username: string;
  admin: boolean;
  via: 'local' | 'session' | 'api-key';
  address: string | null;
  userAgent: string;
}

export function actorOf(principal: Principal): Actor {
  return { kind: 'user', id: principal.userId, name: principal.username, admin: principal.admin };
}

export function callerOf(principal: Principal): Caller {
  return {
    userId: principal.userId,
    username: principal.username,
    endpoint: { local: 'cli' as const, session: 'ui' as const, 'api-key': 'api' as const }[principal.via],
    address: principal.address,
    userAgent: principal.userAgent,
  };
}

/** lifecycle.md §3: an administrator sees everything, others what nobody owns and what is theirs. */
export function maySee(principal: Principal, ownerId: number | null): boolean {
  return principal.admin || ownerId === null || ownerId === principal.userId;
}
