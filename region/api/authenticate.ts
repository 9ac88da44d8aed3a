import type { FastifyRequest } from 'fastify';
import { userOfKey } from '../accounts/api-tokens.ts';
import { sessionUser } from '../accounts/sessions.ts';
import { firstAdmin, type User } from '../accounts/users.ts';
import type { RegionDeps } from '../deps.ts';
import { failureFor } from './failure.ts';
import type { Principal } from './principal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The request came in by the region's own unix socket, which only its user can open. */
    localAdmin?: boolean;
  }
}

export const SESSION_COOKIE = 'ingot_session';

/**
 * Who asks: by API key, by session cookie, or by the local socket, in this order, so that a key given over the socket
 * counts. Null without credentials. Throws 401 for wrong ones and 403 for a cookie without the sign of our own pages.
 */
export async function authenticate(deps: RegionDeps, request: FastifyRequest): Promise<Principal | null> {
  const origin = { address: request.ip || null, userAgent: (request.headers['user-agent'] ?? '').slice(0, 256) };
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) {
    const person = await userOfKey(deps, bearer);
    if (!person) {
      throw failureFor('auth.key');
    }
    return principal(person, 'api-key', origin);
  }
  if (request.localAdmin === true) return principal(await localAdmin(deps), 'local', { ...origin, address: null });
  const sessionId = cookieOf(request.headers.cookie, SESSION_COOKIE);
  if (sessionId === null) return null;
  const person = await sessionUser(deps, sessionId);
  if (!person) return null;
  if (!isSafe(request.method) && !isFromOurPages(request)) {
    throw failureFor('auth.csrf');
  }
  return principal(person, 'session', origin);
}

function principal(
  person: User,
  via: Principal['via'],
  origin: { address: string | null; userAgent: string },
): Principal {
  return { userId: person.id, username: person.username, admin: person.isAdmin, via, ...origin };
}

/** Before `createadmin` there is nobody: then it is the system's own account, so that the first one can be made. */
async function localAdmin(deps: RegionDeps): Promise<User> {
  const admin = await firstAdmin(deps);
  if (admin) return admin;
  const system = await deps.db
    .selectFrom('users')
    .select(['id', 'username', 'email'])
    .where('is_system', '=', true)
    .orderBy('id')
    .executeTakeFirstOrThrow();
  return { ...system, isAdmin: true };
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * Another site's page can send forms and simple requests with our cookie, but neither a header of its own nor a JSON body
 * without asking first, and we never answer such a question with yes. SameSite=Strict says the same to newer browsers.
 */
function isFromOurPages(request: FastifyRequest): boolean {
  if (request.headers['x-ingot-csrf'] === '1') return true;
  return /^application\/json\b/i.test(request.headers['content-type'] ?? '');
}

export function cookieOf(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/** `secure` when the page itself came over TLS; the flag would make a plain HTTP site unusable. */
export function sessionCookie(sessionId: string, maxAgeSeconds: number, secure: boolean): string {
  return `${SESSION_COOKIE}=${sessionId}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${secure ? '; Secure' : ''}`;
}
