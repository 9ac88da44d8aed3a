import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionKeys } from './rakp.ts';
import { freshRandom } from './random.ts';
import type { CipherSuite } from './suite.ts';

/** RMCP packets (IPMI 2.0 §13.1–13.6, 13.28): the 1.5 wrapper outside of sessions and the RMCP+ one. */

const RMCP_HEADER = Buffer.from([0x06, 0x00, 0xff, 0x07]);
const RMCP_PLUS = 0x06;

export const PAYLOAD = {
  ipmi: 0x00,
  openSessionRequest: 0x10,
  openSessionReply: 0x11,
  rakp1: 0x12,
  rakp2: 0x13,
  rakp3: 0x14,
  rakp4: 0x15,
} as const;

/** Bits of the payload type byte. */
const ENCRYPTED = 0x80;
const AUTHENTICATED = 0x40;

export type Frame =
  /** IPMI 1.5 wrapper without authentication: only the question for the channel's capabilities. */
  | { kind: 'plain'; message: Buffer }
  /** RMCP+ outside of a session: its opening, and (payload type `ipmi`) commands that need none. */
  | { kind: 'setup'; payloadType: number; payload: Buffer }
  /** RMCP+ within a session; still sealed. */
  | { kind: 'session'; sessionId: number; sequence: number; sealed: Buffer };

export function encodePlain(message: Buffer): Buffer {
  return Buffer.concat([RMCP_HEADER, Buffer.alloc(9), Buffer.from([message.length]), message]);
}

export function encodeSetup(payloadType: number, payload: Buffer): Buffer {
  return Buffer.concat([RMCP_HEADER, sessionHeader(payloadType, 0, 0, payload.length), payload]);
}

function sessionHeader(payloadType: number, sessionId: number, sequence: number, length: number): Buffer {
  const header = Buffer.alloc(12);
  header[0] = RMCP_PLUS;
  header[1] = payloadType;
  header.writeUInt32LE(sessionId, 2);
  header.writeUInt32LE(sequence, 6);
  header.writeUInt16LE(length, 10);
  return header;
}

/** Encrypts and signs a message. `sessionId` is the receiver's. */
export function encodeSession(
  suite: CipherSuite,
  keys: SessionKeys,
  sessionId: number,
  sequence: number,
  message: Buffer,
): Buffer {
  const payload = encrypt(keys.aes, message);
  const header = sessionHeader(PAYLOAD.ipmi | ENCRYPTED | AUTHENTICATED, sessionId, sequence, payload.length);
  // The signed part, with pad length and next header, is a multiple of four.
  const padLength = (4 - ((header.length + payload.length + 2) % 4)) % 4;
  const signed = Buffer.concat([header, payload, Buffer.alloc(padLength, 0xff), Buffer.from([padLength, 0x07])]);
  return Buffer.concat([RMCP_HEADER, signed, integrityCode(suite, keys, signed)]);
}

function integrityCode(suite: CipherSuite, keys: SessionKeys, signed: Buffer): Buffer {
  return createHmac(suite.hash, keys.k1).update(signed).digest().subarray(0, suite.integrityLength);
}

/** AES-CBC-128 with the pad 01 02 03 … and its length (IPMI 2.0 §13.29), not PKCS #7. */
function encrypt(key: Buffer, message: Buffer): Buffer {
  const padLength = (16 - ((message.length + 1) % 16)) % 16;
  const pad = Buffer.from(Array.from({ length: padLength }, (_, i) => i + 1));
  const iv = freshRandom(16);
  const cipher = createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
  return Buffer.concat([iv, cipher.update(Buffer.concat([message, pad, Buffer.from([padLength])])), cipher.final()]);
}

/** Null for anything that is not such a packet. */
export function decodeFrame(bytes: Buffer): Frame | null {
  if (bytes.length < 5 || bytes[0] !== 0x06 || bytes[3] !== 0x07) return null;
  const body = bytes.subarray(4);
  if (body[0] === 0x00) {
    const length = body[9];
    if (length === undefined || body.length < 10 + length) return null;
    return { kind: 'plain', message: body.subarray(10, 10 + length) };
  }
  if (body[0] !== RMCP_PLUS || body.length < 12) return null;
  const payloadType = body[1] ?? 0;
  const sessionId = body.readUInt32LE(2);
  const sequence = body.readUInt32LE(6);
  const length = body.readUInt16LE(10);
  if (body.length < 12 + length) return null;
  if (payloadType === (PAYLOAD.ipmi | ENCRYPTED | AUTHENTICATED))
    return { kind: 'session', sessionId, sequence, sealed: body };
  if ((payloadType & (ENCRYPTED | AUTHENTICATED)) !== 0) return null;
  return { kind: 'setup', payloadType, payload: body.subarray(12, 12 + length) };
}

/** Verifies and decrypts the body of a session frame; null when the code or the padding is wrong. */
export function openSealed(suite: CipherSuite, keys: SessionKeys, sealed: Buffer): Buffer | null {
  const signedLength = sealed.length - suite.integrityLength;
  const length = sealed.readUInt16LE(10);
  if (signedLength < 14 + length || length < 32 || length % 16 !== 0) return null;
  const signed = sealed.subarray(0, signedLength);
  if (!timingSafeEqual(integrityCode(suite, keys, signed), sealed.subarray(signedLength))) return null;
  const payload = signed.subarray(12, 12 + length);
  const decipher = createDecipheriv('aes-128-cbc', keys.aes, payload.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(payload.subarray(16)), decipher.final()]);
  const padLength = plain.at(-1) ?? 255;
  return padLength > 15 ? null : plain.subarray(0, plain.length - 1 - padLength);
}
