import { timingSafeEqual } from 'node:crypto';
import { decodeCipherList, LIST_CHUNK, suitesToTry } from './cipher-list.ts';
import type { Exchange } from './exchange.ts';
import { completionFailure, IpmiFailure, SUITE_UNAVAILABLE, statusFailure } from './failure.ts';
import { encodePlain, encodeSetup, type Frame, PAYLOAD } from './frame.ts';
import { encodeRequest, type IpmiReply, NETFN, replyTo } from './message.ts';
import { PRIVILEGE } from './privilege.ts';
import { paddedKey, type RakpFacts, rakp2Code, rakp3Code, rakp4Code, type SessionKeys, sessionKeys } from './rakp.ts';
import { freshRandom } from './random.ts';
import type { IpmiTarget } from './session.ts';
import type { CipherSuite } from './suite.ts';

/** The console's half of opening a session: IPMI 2.0 §13.17–13.24. All throw IpmiFailure. */

export interface Login {
  suite: CipherSuite;
  keys: SessionKeys;
  consoleSession: number;
  bmcSession: Buffer;
}

export async function login(exchange: Exchange, target: IpmiTarget): Promise<Login> {
  await askCapabilities(exchange, target);
  const candidates = target.suite === 'best' ? suitesToTry(await askCipherSuites(exchange, target)) : [target.suite];
  const opened = await openWithFirst(exchange, target, candidates);
  const facts = await authenticate(exchange, target, opened);
  const keys = await proveAndDerive(exchange, target, opened.suite, facts);
  const { suite, consoleSession, bmcSession } = opened;
  return { suite, keys, consoleSession: consoleSession.readUInt32LE(0), bmcSession };
}

/**
 * One command outside of a session. Of the two wrappers BMCs know that of IPMI 1.5 for certain; a repeat comes in that of
 * RMCP+, as ipmitool asks for the cipher suites.
 */
async function askPlain(
  exchange: Exchange,
  target: IpmiTarget,
  command: number,
  data: Buffer,
  tries?: number,
): Promise<IpmiReply> {
  const request = encodeRequest({ netFn: NETFN.app, command, sequence: 0, data });
  const wrappers = [encodePlain(request), encodeSetup(PAYLOAD.ipmi, request)] as const;
  return await exchange.ask(
    (sending) => (command === CIPHER_SUITES_COMMAND && sending % 2 === 1 ? wrappers[1] : wrappers[0]),
    (frame) => {
      const message = plainMessage(frame);
      return message && replyTo(message, NETFN.app, command, 0, target.ignoreChecksums);
    },
    tries,
  );
}

const CAPABILITIES_COMMAND = 0x38;
const CIPHER_SUITES_COMMAND = 0x54;

function plainMessage(frame: Frame): Buffer | null {
  if (frame.kind === 'plain') return frame.message;
  return frame.kind === 'setup' && frame.payloadType === PAYLOAD.ipmi ? frame.payload : null;
}

/** Get Channel Authentication Capabilities (IPMI 2.0 §22.13). */
async function askCapabilities(exchange: Exchange, target: IpmiTarget): Promise<void> {
  const data = Buffer.from([0x8e, PRIVILEGE[target.privilege]]);
  const reply = await askPlain(exchange, target, CAPABILITIES_COMMAND, data);
  if (target.authcap) return;
  if (reply.completion !== 0) throw completionFailure(reply.completion, 'get channel authentication capabilities');
  const extended = ((reply.data[1] ?? 0) & 0x80) !== 0;
  if (!extended || ((reply.data[3] ?? 0) & 0x02) === 0) throw new IpmiFailure('setting', 'ipmi 2.0 unavailable');
}

/** The list has at most 64 pieces (IPMI 2.0 §22.15); real ones have two. */
const LIST_PIECES = 8;

/** Null when the BMC does not tell: some do not know the command, some do not even answer to it. */
async function askCipherSuites(exchange: Exchange, target: IpmiTarget): Promise<number[] | null> {
  const pieces: Buffer[] = [];
  for (let index = 0; index < LIST_PIECES; index++) {
    const data = Buffer.from([0x0e, 0x00, 0x80 | index]);
    // It answered a moment ago: two sendings are enough to tell a lost packet from a BMC that is mute on this.
    const reply = await askPlain(exchange, target, CIPHER_SUITES_COMMAND, data, 2).catch((error: unknown) => {
      if (error instanceof IpmiFailure && error.failure === 'connection') return null;
      throw error;
    });
    if (reply === null || reply.completion !== 0) break;
    const piece = reply.data.subarray(1, 1 + LIST_CHUNK);
    pieces.push(piece);
    if (piece.length < LIST_CHUNK) break;
  }
  const listed = decodeCipherList(Buffer.concat(pieces));
  return listed.length === 0 ? null : listed;
}

/** A setup reply of the wanted type with our tag; a cut one is none. Throws when its status is not zero. */
function setupReply(frame: Frame, payloadType: number, tag: number, shortest: number): Buffer | null {
  if (frame.kind !== 'setup' || frame.payloadType !== payloadType || frame.payload[0] !== tag) return null;
  const status = frame.payload[1];
  // Shorter replies than this carry nothing but a refusal.
  if (status === undefined || (status === 0 && frame.payload.length < shortest)) return null;
  if (status !== 0) throw statusFailure(status);
  return frame.payload;
}

interface Opened {
  suite: CipherSuite;
  tag: number;
  consoleSession: Buffer;
  bmcSession: Buffer;
}

async function openWithFirst(
  exchange: Exchange,
  target: IpmiTarget,
  candidates: readonly CipherSuite[],
): Promise<Opened> {
  let last: IpmiFailure | null = null;
  for (const [tag, suite] of candidates.entries()) {
    try {
      return await open(exchange, target, suite, tag);
    } catch (error) {
      if (!(error instanceof IpmiFailure) || error.message !== SUITE_UNAVAILABLE) throw error;
      last = error;
    }
  }
  throw last ?? new IpmiFailure('setting', SUITE_UNAVAILABLE);
}

async function open(exchange: Exchange, target: IpmiTarget, suite: CipherSuite, tag: number): Promise<Opened> {
  const consoleSession = freshRandom(4);
  consoleSession[0] = (consoleSession[0] ?? 0) | 1; // never zero
  const request = Buffer.alloc(32);
  request[0] = tag;
  request[1] = target.opensesspriv ? PRIVILEGE[target.privilege] : 0;
  consoleSession.copy(request, 4);
  const algorithms = [suite.authentication, suite.integrity, suite.confidentiality];
  for (const [i, algorithm] of algorithms.entries()) request.set([i, 0, 0, 8, algorithm, 0, 0, 0], 8 + 8 * i);
  const reply = await exchange.ask(
    () => encodeSetup(PAYLOAD.openSessionRequest, request),
    (frame) => {
      const found = setupReply(frame, PAYLOAD.openSessionReply, tag, 36);
      return found?.subarray(4, 8).equals(consoleSession) ? found : null;
    },
  );
  const accepted = [reply[16], reply[24], reply[32]].map((byte) => (byte ?? 0xff) & 0x3f);
  // Some BMCs answer with another suite than the one that was asked for.
  if (accepted.join() !== algorithms.join()) throw new IpmiFailure('setting', SUITE_UNAVAILABLE);
  const bmcSession = Buffer.from(reply.subarray(8, 12));
  if (!target.idzero && bmcSession.readUInt32LE(0) === 0) throw new IpmiFailure('fatal', 'BMC gave session id zero');
  return { suite, tag, consoleSession, bmcSession };
}

async function authenticate(exchange: Exchange, target: IpmiTarget, opened: Opened): Promise<RakpFacts> {
  const { suite, tag, consoleSession, bmcSession } = opened;
  const user = Buffer.from(target.user);
  const consoleRandom = freshRandom(16);
  const role = PRIVILEGE[target.privilege] | 0x10;
  const head = Buffer.from([tag, 0, 0, 0]);
  const rakp1 = Buffer.concat([head, bmcSession, consoleRandom, Buffer.from([role, 0, 0, user.length]), user]);
  const reply = await exchange.ask(
    () => encodeSetup(PAYLOAD.rakp1, rakp1),
    (frame) => setupReply(frame, PAYLOAD.rakp2, tag, 40),
  );
  const bmcRandom = Buffer.from(reply.subarray(8, 24));
  const guid = Buffer.from(reply.subarray(24, 40));
  const facts: RakpFacts = { consoleSession, bmcSession, consoleRandom, bmcRandom, guid, role, user };
  const expected = rakp2Code(suite, paddedKey(Buffer.from(target.password)), facts);
  if (!sameBytes(reply.subarray(40), expected)) throw new IpmiFailure('auth', 'password invalid');
  return facts;
}

async function proveAndDerive(
  exchange: Exchange,
  target: IpmiTarget,
  suite: CipherSuite,
  facts: RakpFacts,
): Promise<SessionKeys> {
  const userKey = paddedKey(Buffer.from(target.password));
  const keys = sessionKeys(suite, target.kg === null ? userKey : paddedKey(target.kg), facts);
  const head = Buffer.from([0, 0, 0, 0]);
  const rakp3 = Buffer.concat([head, facts.bmcSession, rakp3Code(suite, userKey, facts)]);
  const reply = await exchange.ask(
    () => encodeSetup(PAYLOAD.rakp3, rakp3),
    (frame) => setupReply(frame, PAYLOAD.rakp4, 0, 8 + suite.rakp4Length),
  );
  if (!sameBytes(reply.subarray(8, 8 + suite.rakp4Length), rakp4Code(suite, keys.sik, facts))) {
    throw new IpmiFailure('auth', 'k_g invalid');
  }
  return keys;
}

function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
