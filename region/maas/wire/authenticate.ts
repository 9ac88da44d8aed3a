import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Person } from '../table.ts';
import { forbidden, PERMISSION_DENIED } from './errors.ts';
import {
  findOauth,
  OLDEST_TIMESTAMP_SECONDS,
  oauthRefused,
  type SignedRequest,
  signatureMatches,
  unknownConsumer,
} from './oauth.ts';

/** Where keys and sessions are looked up; made from region/accounts by the server, from a list by tests. */
export interface Identities {
  /** Null for an unknown pair, and for people who may not call. */
  token(consumerKey: string, tokenKey: string): Promise<{ person: Person; secret: string } | null>;
  /** Records the triple; false when it was seen before. */
  useNonce(consumerKey: string, tokenKey: string, nonce: string): Promise<boolean>;
  session(id: string): Promise<Person | null>;
}

export interface Credentials {
  authorization: string | undefined;
  sessionId: string | undefined;
  csrfHeader: string | undefined;
}

/**
 * Who asks: by OAuth 1.0 or by session cookie. Null without (complete) credentials. Throws 401 for credentials that are
 * wrong, 403 for a session without its CSRF token, 400 for a malformed timestamp.
 */
export async function authenticate(
  identities: Identities,
  credentials: Credentials,
  request: SignedRequest,
  nowSeconds: number,
): Promise<Person | null> {
  const oauth = findOauth(credentials.authorization, request.query, request.body);
  if (oauth === null) return await bySession(identities, credentials, request.method);
  if (oauth.timestamp < nowSeconds - OLDEST_TIMESTAMP_SECONDS) {
    throw oauthRefused(
      `Expired timestamp: given ${oauth.timestamp} and now ${nowSeconds} has a greater difference than threshold ${OLDEST_TIMESTAMP_SECONDS}`,
    );
  }
  const token = await identities.token(oauth.consumerKey, oauth.tokenKey);
  if (token === null) throw unknownConsumer();
  if (!signatureMatches(oauth, token.secret, request)) throw oauthRefused('Invalid signature.');
  if (!(await identities.useNonce(oauth.consumerKey, oauth.tokenKey, oauth.nonce))) {
    throw oauthRefused(`Nonce already used: ${oauth.nonce}`);
  }
  return token.person;
}

async function bySession(identities: Identities, credentials: Credentials, method: string): Promise<Person | null> {
  if (credentials.sessionId === undefined) return null;
  const person = await identities.session(credentials.sessionId);
  if (person === null) return null;
  if (method !== 'GET' && method !== 'HEAD' && !csrfMatches(credentials.sessionId, credentials.csrfHeader)) {
    throw forbidden(`${PERMISSION_DENIED} (CSRF token missing or incorrect: send X-CSRFToken)`);
  }
  return person;
}

/** Derived from the session id, which no other site can read; so nothing needs to be stored. */
export function csrfToken(sessionId: string): string {
  return createHmac('sha256', sessionId).update('csrf').digest('hex');
}

export function csrfMatches(sessionId: string, given: string | undefined): boolean {
  const expected = Buffer.from(csrfToken(sessionId));
  const actual = Buffer.from(given ?? '');
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
