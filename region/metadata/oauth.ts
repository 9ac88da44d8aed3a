import { timingSafeEqual } from 'node:crypto';

/** OAuth 1.0 PLAINTEXT (RFC 5849 §3.4.4) as cloud-init sends it: everything in the Authorization header. */
export interface OauthHeader {
  consumerKey: string;
  tokenKey: string;
  /** consumer secret "&" token secret, decoded. */
  signature: string;
  /** Seconds since the epoch; null when there is none. */
  timestamp: number | null;
  nonce: string | null;
}

const LONGEST = 4096;

function decoded(text: string): string {
  const bare = text.replace(/^"(.*)"$/, '$1');
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** Parts in any order, separated by commas with or without a blank; null when it is no complete PLAINTEXT header, or has a NUL. */
export function parseOauthHeader(header: string | undefined): OauthHeader | null {
  if (header === undefined || header.length > LONGEST || !/^OAuth\s/i.test(header)) return null;
  const parts = new Map<string, string>();
  for (const part of header.replace(/^OAuth\s+/i, '').split(',')) {
    const at = part.indexOf('=');
    if (at > 0) parts.set(part.slice(0, at).trim(), decoded(part.slice(at + 1).trim()));
  }
  // No key and no nonce has a NUL, and PostgreSQL would not even look for one.
  if ([...parts.values()].some((value) => value.includes('\0'))) return null;
  const consumerKey = parts.get('oauth_consumer_key');
  const tokenKey = parts.get('oauth_token');
  const signature = parts.get('oauth_signature');
  const method = parts.get('oauth_signature_method') ?? 'PLAINTEXT';
  if (consumerKey === undefined || !tokenKey || signature === undefined || method !== 'PLAINTEXT') return null;
  const timestamp = Number(parts.get('oauth_timestamp') ?? Number.NaN);
  return {
    consumerKey,
    tokenKey,
    signature,
    timestamp: Number.isFinite(timestamp) ? timestamp : null,
    nonce: parts.get('oauth_nonce') ?? null,
  };
}

/** The signature is the two secrets themselves; instance tokens have an empty consumer secret. Takes constant time. */
export function isSignedWith(oauth: OauthHeader, tokenSecret: string): boolean {
  const given = Buffer.from(oauth.signature);
  const right = Buffer.from(`&${tokenSecret}`);
  return given.length === right.length && timingSafeEqual(given, right);
}
