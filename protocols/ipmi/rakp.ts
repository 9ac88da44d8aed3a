import { createHmac } from 'node:crypto';
import type { CipherSuite } from './suite.ts';

/** Everything both ends know after RAKP 2; session ids are the four bytes as they go over the wire (little-endian). */
export interface RakpFacts {
  consoleSession: Buffer;
  bmcSession: Buffer;
  consoleRandom: Buffer;
  bmcRandom: Buffer;
  guid: Buffer;
  /** Requested privilege, bit 4 = look the user up by name alone. */
  role: number;
  user: Buffer;
}

export interface SessionKeys {
  /** Session integrity key. */
  sik: Buffer;
  /** Signs packets. */
  k1: Buffer;
  /** AES-128 key. */
  aes: Buffer;
}

const hmac = (suite: CipherSuite, key: Buffer, ...parts: Buffer[]) =>
  createHmac(suite.hash, key).update(Buffer.concat(parts)).digest();

const roleAndName = (facts: RakpFacts) => Buffer.concat([Buffer.from([facts.role, facts.user.length]), facts.user]);

/** Kuid and K_g are 20 bytes, filled with zeros (IPMI 2.0 §13.31). */
export function paddedKey(secret: Buffer): Buffer {
  const key = Buffer.alloc(20);
  secret.copy(key);
  return key;
}

/** The BMC's proof that it knows the password: IPMI 2.0 §13.31, RAKP message 2. */
export function rakp2Code(suite: CipherSuite, userKey: Buffer, facts: RakpFacts): Buffer {
  const { consoleSession, bmcSession, consoleRandom, bmcRandom, guid } = facts;
  return hmac(suite, userKey, consoleSession, bmcSession, consoleRandom, bmcRandom, guid, roleAndName(facts));
}

/** Our proof. */
export function rakp3Code(suite: CipherSuite, userKey: Buffer, facts: RakpFacts): Buffer {
  return hmac(suite, userKey, facts.bmcRandom, facts.consoleSession, roleAndName(facts));
}

/** `bmcKey` = K_g, or the user's key where the BMC has no K_g. */
export function sessionKeys(suite: CipherSuite, bmcKey: Buffer, facts: RakpFacts): SessionKeys {
  const sik = hmac(suite, bmcKey, facts.consoleRandom, facts.bmcRandom, roleAndName(facts));
  const k1 = hmac(suite, sik, Buffer.alloc(20, 1));
  const k2 = hmac(suite, sik, Buffer.alloc(20, 2));
  return { sik, k1, aes: k2.subarray(0, 16) };
}

/** The BMC's proof that it knows K_g. */
export function rakp4Code(suite: CipherSuite, sik: Buffer, facts: RakpFacts): Buffer {
  return hmac(suite, sik, facts.consoleRandom, facts.bmcSession, facts.guid).subarray(0, suite.rakp4Length);
}
