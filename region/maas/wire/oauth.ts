import { createHmac, timingSafeEqual } from 'node:crypto';
import { MaasError } from './errors.ts';
import { lastOf, type Values } from './values.ts';

/** The OAuth 1.0 parameters of a request (RFC 5849 §3.1), wherever they were found. */
export interface OauthParameters {
  consumerKey: string;
  tokenKey: string;
  signature: string;
  method: 'PLAINTEXT' | 'HMAC-SHA1';
  timestamp: number;
  nonce: string;
  /** All oauth_* pairs without the signature, for the base string. */
  pairs: (readonly [string, string])[];
}

/** What a signature over the request covers. `url` is scheme, host and path without query. */
export interface SignedRequest {
  method: string;
  url: string;
  query: Values;
  body: Values;
  bodyIsUrlEncoded: boolean;
}

/** A timestamp may be this many seconds old; one from the future is accepted (conventions §2). */
export const OLDEST_TIMESTAMP_SECONDS = 300;

const REQUIRED = ['consumer_key', 'token', 'signature', 'signature_method', 'timestamp', 'nonce'] as const;

/**
 * Finds a complete parameter set in the Authorization header, the query or the form body, in this order. Null when there
 * is none, which means "not authenticated". Throws 400 for a timestamp that is no number, 401 for an unknown method.
 */
export function findOauth(header: string | undefined, query: Values, body: Values): OauthParameters | null {
  const candidates = [header === undefined ? null : parseHeader(header), fromValues(query), fromValues(body)];
  for (const pairs of candidates) {
    if (pairs === null) continue;
    const map = new Map(pairs);
    const values = REQUIRED.map((name) => map.get(`oauth_${name}`));
    if (values.some((value) => value === undefined || value === '')) continue;
    const [consumerKey = '', tokenKey = '', signature = '', method = '', timestamp = '', nonce = ''] = values;
    if (!/^-?\d{1,15}$/.test(timestamp))
      throw new MaasError(400, `Bad Request: invalid oauth_timestamp '${timestamp}'.`);
    const version = map.get('oauth_version');
    if (version !== undefined && version !== '1.0') throw oauthRefused(`OAuth version ${version} not supported.`);
    if (method !== 'PLAINTEXT' && method !== 'HMAC-SHA1') {
      throw oauthRefused(`Signature method ${method} not supported try one of the following: HMAC-SHA1, PLAINTEXT`);
    }
    return {
      consumerKey,
      tokenKey,
      signature,
      method,
      timestamp: Number(timestamp),
      nonce,
      pairs: pairs.filter(([name]) => name !== 'oauth_signature'),
    };
  }
  return null;
}

export function oauthRefused(reason: string): MaasError {
  return new MaasError(401, `Authorization Error: '${reason}'`, { 'www-authenticate': 'OAuth realm="OAuth"' });
}

export function unknownConsumer(): MaasError {
  return new MaasError(401, 'Authorization Error: Invalid API key.', { 'www-authenticate': 'OAuth realm="OAuth"' });
}

/** `OAuth a="b", c=d`: split on commas, then on the first `=`; a part with the word realm is skipped whatever it says. */
export function parseHeader(header: string): (readonly [string, string])[] | null {
  if (!header.startsWith('OAuth ')) return null;
  const pairs: (readonly [string, string])[] = [];
  for (const part of header.slice(6).split(',')) {
    if (part.includes('realm')) continue;
    const at = part.indexOf('=');
    if (at < 0) continue;
    const value = part
      .slice(at + 1)
      .trim()
      .replace(/^"|"$/g, '');
    pairs.push([part.slice(0, at).trim(), percentDecode(value)]);
  }
  return pairs;
}

function fromValues(values: Values): (readonly [string, string])[] | null {
  const pairs = values.pairs.filter(([name]) => name.startsWith('oauth_'));
  return pairs.length === 0 ? null : pairs;
}

/** True when the signature is right for this token secret (the consumer secret is always empty). */
export function signatureMatches(oauth: OauthParameters, tokenSecret: string, request: SignedRequest): boolean {
  const key = `&${encode(tokenSecret)}`;
  if (oauth.method === 'PLAINTEXT') return same(oauth.signature, key);
  return baseStrings(oauth, request).some((base) =>
    same(oauth.signature, createHmac('sha1', key).update(base).digest('base64')),
  );
}

/**
 * Base strings to try, most likely first: with all body parameters; with one value per repeated body key (what
 * maas-client-go signs); without the body (its PUT, and multipart bodies). clients.md §1.4.
 */
function baseStrings(oauth: OauthParameters, request: SignedRequest): string[] {
  const query = request.query.pairs.filter(([name]) => name !== 'oauth_signature' && !repeatsHeader(oauth, name));
  const body = request.body.pairs.filter(([name]) => !name.startsWith('oauth_'));
  const sets: (readonly [string, string])[][] = [];
  if (request.bodyIsUrlEncoded && body.length > 0) {
    const names = [...new Set(body.map(([name]) => name))];
    const first = names.map((name): readonly [string, string] => [
      name,
      body.find((pair) => pair[0] === name)?.[1] ?? '',
    ]);
    const last = names.map((name): readonly [string, string] => [name, lastOf(request.body, name) ?? '']);
    sets.push(body, first, last);
  }
  sets.push([]);
  return sets.map((extra) => {
    const parameters = [...oauth.pairs, ...query, ...extra]
      .map(([name, value]): readonly [string, string] => [encode(name), encode(value)])
      .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
      .map(([name, value]) => `${name}=${value}`)
      .join('&');
    return [request.method.toUpperCase(), encode(request.url), encode(parameters)].join('&');
  });
}

/** Parameters that came in the query are among `oauth.pairs` already. */
function repeatsHeader(oauth: OauthParameters, name: string): boolean {
  return name.startsWith('oauth_') && oauth.pairs.some((pair) => pair[0] === name);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** RFC 5849 §3.6: everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
