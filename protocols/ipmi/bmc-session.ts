import { timingSafeEqual } from 'node:crypto';
import { encodeSession, encodeSetup, type Frame, openSealed, PAYLOAD } from './frame.ts';
import { PRIVILEGE, type Privilege } from './privilege.ts';
import { paddedKey, type RakpFacts, rakp2Code, rakp3Code, rakp4Code, type SessionKeys, sessionKeys } from './rakp.ts';
import { freshRandom } from './random.ts';
import type { CipherSuite } from './suite.ts';

/** The BMC's half of RMCP+ (IPMI 2.0 §13.17–13.24): logins, session slots, sequence windows. */

export interface BmcUser {
  /** At most 16 bytes. */
  name: string;
  /** At most 20 bytes. */
  password: string;
  privilege: Privilege;
}

export interface BmcSession {
  id: number;
  /** ADDRESS:PORT of the console. */
  peer: string;
  suite: CipherSuite;
  consoleSession: Buffer;
  openReply: Buffer;
  login: { rakp1: Buffer; rakp2: Buffer; facts: RakpFacts; user: BmcUser; limit: number } | null;
  keys: SessionKeys | null;
  rakp4: Buffer | null;
  /** Level now; a new session may only look (USER) until it asks for more. */
  privilege: number;
  /** Window of received numbers: the highest, and a bit for each of the 32 at and below it. */
  highest: number;
  seen: number;
  sent: number;
  kept: KeptAnswer[];
  usedAtMs: number;
}

/** A request of a session and what was answered; null = still being worked on. */
export interface KeptAnswer {
  request: Buffer;
  reply: Buffer | null;
  atMs: number;
}

export interface LoginRules {
  users: readonly BmcUser[];
  kg: Buffer | null;
  suites: readonly CipherSuite[];
  guid: Buffer;
  refusesLogin: boolean;
}

export type SessionTable = Map<number, BmcSession>;

/** As many as boards commonly have, and how long an idle one is kept (IPMI 2.0 §6.12.15). */
const SLOTS = 16;
const IDLE_MS = 60_000;
const LOGIN_MS = 20_000;

const STATUS = {
  noSlot: 0x01,
  badSession: 0x02,
  unauthorizedRole: 0x0a,
  unauthorizedName: 0x0d,
  badIntegrity: 0x0f,
  noSuite: 0x11,
  illegal: 0x12,
} as const;

const refusal = (type: number, tag: number, status: number, consoleSession: Buffer) =>
  encodeSetup(type, Buffer.concat([Buffer.from([tag, status, 0, 0]), consoleSession]));

/** The answer to Open Session, RAKP 1 or RAKP 3; null = say nothing. A repeated question gets the same answer. */
export function answerSetup(
  frame: Extract<Frame, { kind: 'setup' }>,
  peer: string,
  table: SessionTable,
  rules: LoginRules,
  nowMs: number,
): Buffer | null {
  switch (frame.payloadType) {
    case PAYLOAD.openSessionRequest:
      return open(frame.payload, peer, table, rules, nowMs);
    case PAYLOAD.rakp1:
      return nameUser(frame.payload, table, rules, nowMs);
    case PAYLOAD.rakp3:
      return prove(frame.payload, table, rules, nowMs);
    default:
      return null;
  }
}

function open(payload: Buffer, peer: string, table: SessionTable, rules: LoginRules, nowMs: number): Buffer | null {
  if (payload.length < 32) return null;
  const tag = payload[0] ?? 0;
  const consoleSession = Buffer.from(payload.subarray(4, 8));
  for (const session of table.values()) {
    const repeated = session.login === null && session.peer === peer && session.consoleSession.equals(consoleSession);
    if (repeated) return session.openReply;
  }
  const wanted = [payload[12], payload[20], payload[28]];
  const suite = rules.suites.find((each) => algorithms(each).every((algorithm, i) => algorithm === wanted[i]));
  if (suite === undefined) return refusal(PAYLOAD.openSessionReply, tag, STATUS.noSuite, consoleSession);
  if (!makeRoom(table, nowMs)) return refusal(PAYLOAD.openSessionReply, tag, STATUS.noSlot, consoleSession);
  const id = freeId(table);
  const body = Buffer.alloc(36);
  body.set([tag, 0, (payload[1] ?? 0) & 0x0f || PRIVILEGE.ADMIN, 0]);
  consoleSession.copy(body, 4);
  body.writeUInt32LE(id, 8);
  for (const [i, algorithm] of algorithms(suite).entries()) body.set([i, 0, 0, 8, algorithm, 0, 0, 0], 12 + 8 * i);
  const openReply = encodeSetup(PAYLOAD.openSessionReply, body);
  table.set(id, {
    id,
    peer,
    suite,
    consoleSession,
    openReply,
    login: null,
    keys: null,
    rakp4: null,
    privilege: PRIVILEGE.USER,
    highest: 0,
    seen: 0,
    sent: 0,
    kept: [],
    usedAtMs: nowMs,
  });
  return openReply;
}

const algorithms = (suite: CipherSuite) => [suite.authentication, suite.integrity, suite.confidentiality];

function freeId(table: SessionTable): number {
  // Sixteen slots in 2³²: the second throw is already rare.
  for (;;) {
    const id = freshRandom(4).readUInt32LE(0);
    if (id !== 0 && !table.has(id)) return id;
  }
}

/** Frees what idles; then, if need be, the oldest login that was never finished. False when all slots are in use. */
function makeRoom(table: SessionTable, nowMs: number): boolean {
  for (const session of table.values()) {
    if (nowMs - session.usedAtMs > (session.keys === null ? LOGIN_MS : IDLE_MS)) table.delete(session.id);
  }
  if (table.size < SLOTS) return true;
  // A map lists in the order of insertion.
  const unfinished = [...table.values()].find((session) => session.keys === null);
  return unfinished !== undefined && table.delete(unfinished.id);
}

function nameUser(payload: Buffer, table: SessionTable, rules: LoginRules, nowMs: number): Buffer | null {
  const session = payload.length >= 28 ? table.get(payload.readUInt32LE(4)) : undefined;
  if (session === undefined) return null;
  session.usedAtMs = nowMs;
  if (session.login !== null) return session.login.rakp1.equals(payload) ? session.login.rakp2 : null;
  const tag = payload[0] ?? 0;
  const refuse = (status: number) => {
    table.delete(session.id);
    return refusal(PAYLOAD.rakp2, tag, status, session.consoleSession);
  };
  const length = payload[27] ?? 0;
  const user = Buffer.from(payload.subarray(28, 28 + length));
  if (length > 16 || user.length !== length) return refuse(STATUS.illegal);
  const known = rules.users.find((each) => Buffer.from(each.name).equals(user));
  if (known === undefined) return refuse(STATUS.unauthorizedName);
  const role = payload[24] ?? 0;
  const limit = PRIVILEGE[known.privilege];
  if ((role & 0x0f) > limit) return refuse(STATUS.unauthorizedRole);
  const facts: RakpFacts = {
    consoleSession: session.consoleSession,
    bmcSession: Buffer.from(payload.subarray(4, 8)),
    consoleRandom: Buffer.from(payload.subarray(8, 24)),
    bmcRandom: freshRandom(16),
    guid: rules.guid,
    role,
    user,
  };
  const key = rules.refusesLogin ? freshRandom(20) : paddedKey(Buffer.from(known.password));
  const code = rakp2Code(session.suite, key, facts);
  const head = Buffer.concat([Buffer.from([tag, 0, 0, 0]), session.consoleSession]);
  const rakp2 = encodeSetup(PAYLOAD.rakp2, Buffer.concat([head, facts.bmcRandom, rules.guid, code]));
  session.login = { rakp1: Buffer.from(payload), rakp2, facts, user: known, limit: role & 0x0f || limit };
  return rakp2;
}

function prove(payload: Buffer, table: SessionTable, rules: LoginRules, nowMs: number): Buffer | null {
  const session = payload.length >= 8 ? table.get(payload.readUInt32LE(4)) : undefined;
  if (session === undefined || session.login === null) return null;
  session.usedAtMs = nowMs;
  if (session.rakp4 !== null) return session.rakp4;
  const tag = payload[0] ?? 0;
  // The console gives up: it did not believe us.
  if (payload[1] !== 0) {
    table.delete(session.id);
    return null;
  }
  const { facts, user } = session.login;
  const userKey = paddedKey(Buffer.from(user.password));
  const expected = rakp3Code(session.suite, userKey, facts);
  const given = payload.subarray(8);
  if (rules.refusesLogin || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    table.delete(session.id);
    return refusal(PAYLOAD.rakp4, tag, STATUS.badIntegrity, session.consoleSession);
  }
  session.keys = sessionKeys(session.suite, rules.kg === null ? userKey : paddedKey(rules.kg), facts);
  const head = Buffer.concat([Buffer.from([tag, 0, 0, 0]), session.consoleSession]);
  const code = rakp4Code(session.suite, session.keys.sik, facts);
  session.rakp4 = encodeSetup(PAYLOAD.rakp4, Buffer.concat([head, code]));
  return session.rakp4;
}

/** A packet of a session that stands: its message, opened, and whether its number came before. Null = not to be answered. */
export function openPacket(
  frame: Extract<Frame, { kind: 'session' }>,
  peer: string,
  table: SessionTable,
  nowMs: number,
): { session: BmcSession; message: Buffer; repeated: boolean } | null {
  const session = table.get(frame.sessionId);
  if (session === undefined || session.keys === null || session.peer !== peer) return null;
  const message = openSealed(session.suite, session.keys, frame.sealed);
  if (message === null) return null;
  const place = enterWindow(session, frame.sequence);
  if (place === 'outside') return null;
  session.usedAtMs = nowMs;
  return { session, message, repeated: place === 'repeated' };
}

/** Sliding window of IPMI 2.0 §6.12.13: up to 15 ahead of the highest number, up to 16 behind it, none twice. */
function enterWindow(session: BmcSession, sequence: number): 'new' | 'repeated' | 'outside' {
  const ahead = sequence - session.highest;
  if (sequence === 0 || ahead > 15 || ahead < -16) return 'outside';
  if (ahead > 0) {
    session.seen = ((session.seen << ahead) | 1) >>> 0;
    session.highest = sequence;
    return 'new';
  }
  const bit = (1 << -ahead) >>> 0;
  if ((session.seen & bit) !== 0) return 'repeated';
  session.seen = (session.seen | bit) >>> 0;
  return 'new';
}

/** Null when the session ended meanwhile. */
export function sealReply(session: BmcSession, reply: Buffer): Buffer | null {
  if (session.keys === null) return null;
  session.sent += 1;
  return encodeSession(session.suite, session.keys, session.consoleSession.readUInt32LE(0), session.sent, reply);
}
