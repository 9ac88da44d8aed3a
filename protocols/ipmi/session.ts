import { randomBytes, timingSafeEqual } from 'node:crypto';
import { DEFAULT_PATIENCE, type Exchange, openExchange, type Patience } from './exchange.ts';
import { completionFailure, IpmiFailure, statusFailure } from './failure.ts';
import { encodePlain, encodeSession, encodeSetup, type Frame, openSealed, PAYLOAD } from './frame.ts';
import { decodeReply, encodeRequest, type IpmiReply, NETFN } from './message.ts';
import { paddedKey, type RakpFacts, rakp2Code, rakp3Code, rakp4Code, type SessionKeys, sessionKeys } from './rakp.ts';
import type { CipherSuite } from './suite.ts';

export const PRIVILEGE = { USER: 2, OPERATOR: 3, ADMIN: 4 } as const;
export type Privilege = keyof typeof PRIVILEGE;

export interface IpmiTarget {
  host: string;
  port: number;
  /** At most 16 bytes. */
  user: string;
  /** At most 20 bytes. */
  password: string;
  /** K_g, at most 20 bytes; null where the BMC has none. */
  kg: Buffer | null;
  suite: CipherSuite;
  privilege: Privilege;
  /** Ask for the wanted privilege in Open Session rather than for "the highest": BMCs differ in which they hash. */
  opensesspriv: boolean;
  /** Do not trust what the BMC says about its capabilities. */
  authcap: boolean;
  /** Accept a BMC session id of zero. */
  idzero: boolean;
  ignoreChecksums: boolean;
}

export interface IpmiSession {
  /** Data of the reply without its completion code. Throws IpmiFailure; `what` names the command in its message. */
  request(netFn: number, command: number, data: Buffer, what: string): Promise<Buffer>;
}

/**
 * Opens an RMCP+ session, lends it to `use` and always closes it: BMCs have few session slots. Throws IpmiFailure.
 * Messages and their order: IPMI 2.0 §13.17–13.24.
 */
export async function withSession<T>(
  target: IpmiTarget,
  use: (session: IpmiSession) => Promise<T>,
  patience: Patience = DEFAULT_PATIENCE,
  signal?: AbortSignal,
): Promise<T> {
  if (Buffer.byteLength(target.user) > 16) throw new IpmiFailure('setting', 'username is longer than 16 bytes');
  if (Buffer.byteLength(target.password) > 20) throw new IpmiFailure('setting', 'password is longer than 20 bytes');
  const exchange = await openExchange(target.host, target.port, patience, signal);
  try {
    await askCapabilities(exchange, target);
    const facts = await openAndAuthenticate(exchange, target);
    const keys = await proveAndDerive(exchange, target, facts);
    const session = sessionOver(exchange, target, keys, facts);
    try {
      await session.request(NETFN.app, 0x3b, Buffer.from([PRIVILEGE[target.privilege]]), 'set session privilege');
      return await use(session);
    } finally {
      await session.close();
    }
  } finally {
    exchange.close();
  }
}

/** Get Channel Authentication Capabilities, outside of a session (IPMI 2.0 §22.13). */
async function askCapabilities(exchange: Exchange, target: IpmiTarget): Promise<void> {
  const data = Buffer.from([0x8e, PRIVILEGE[target.privilege]]);
  const request = encodePlain(encodeRequest({ netFn: NETFN.app, command: 0x38, sequence: 0, data }));
  const reply = await exchange.ask(
    () => request,
    (frame) => (frame.kind === 'plain' ? replyTo(frame.message, NETFN.app, 0x38, 0, target.ignoreChecksums) : null),
  );
  if (target.authcap) return;
  if (reply.completion !== 0) throw completionFailure(reply.completion, 'get channel authentication capabilities');
  const extended = ((reply.data[1] ?? 0) & 0x80) !== 0;
  if (!extended || ((reply.data[3] ?? 0) & 0x02) === 0) throw new IpmiFailure('setting', 'ipmi 2.0 unavailable');
}

function replyTo(
  message: Buffer,
  netFn: number,
  command: number,
  sequence: number,
  ignoreChecksums: boolean,
): IpmiReply | null {
  const reply = decodeReply(message, ignoreChecksums);
  const matches = reply?.netFn === netFn + 1 && reply.command === command && reply.sequence === sequence;
  return matches ? reply : null;
}

/** A setup reply of the wanted type with our tag; throws when its status is not zero. */
function setupReply(frame: Frame, payloadType: number, tag: number, shortest: number): Buffer | null {
  if (frame.kind !== 'setup' || frame.payloadType !== payloadType || frame.payload[0] !== tag) return null;
  const status = frame.payload[1] ?? 0xff;
  if (status !== 0) throw statusFailure(status);
  if (frame.payload.length < shortest) throw new IpmiFailure('fatal', 'BMC sent a truncated session reply');
  return frame.payload;
}

async function openAndAuthenticate(exchange: Exchange, target: IpmiTarget): Promise<RakpFacts> {
  const { suite } = target;
  const privilege = PRIVILEGE[target.privilege];
  const consoleSession = randomBytes(4);
  consoleSession[0] = (consoleSession[0] ?? 0) | 1; // never zero
  const open = Buffer.alloc(32);
  open[1] = target.opensesspriv ? privilege : 0;
  consoleSession.copy(open, 4);
  for (const [i, algorithm] of [suite.authentication, suite.integrity, suite.confidentiality].entries()) {
    open.set([i, 0, 0, 8, algorithm, 0, 0, 0], 8 + 8 * i);
  }
  const opened = await exchange.ask(
    () => encodeSetup(PAYLOAD.openSessionRequest, open),
    (frame) => {
      const reply = setupReply(frame, PAYLOAD.openSessionReply, 0, 36);
      return reply?.subarray(4, 8).equals(consoleSession) ? reply : null;
    },
  );
  const accepted = [opened[16], opened[24], opened[32]].map((byte) => (byte ?? 0xff) & 0x3f);
  if (accepted.join() !== [suite.authentication, suite.integrity, suite.confidentiality].join()) {
    throw new IpmiFailure('setting', 'cipher suite id unavailable');
  }
  const bmcSession = Buffer.from(opened.subarray(8, 12));
  if (!target.idzero && bmcSession.readUInt32LE(0) === 0) throw new IpmiFailure('fatal', 'BMC gave session id zero');

  const user = Buffer.from(target.user);
  const consoleRandom = randomBytes(16);
  const role = privilege | 0x10;
  const head = Buffer.from([0, 0, 0, 0]);
  const rakp1 = Buffer.concat([head, bmcSession, consoleRandom, Buffer.from([role, 0, 0, user.length]), user]);
  const reply = await exchange.ask(
    () => encodeSetup(PAYLOAD.rakp1, rakp1),
    (frame) => setupReply(frame, PAYLOAD.rakp2, 0, 40),
  );
  const bmcRandom = Buffer.from(reply.subarray(8, 24));
  const guid = Buffer.from(reply.subarray(24, 40));
  const facts: RakpFacts = { consoleSession, bmcSession, consoleRandom, bmcRandom, guid, role, user };
  const expected = rakp2Code(suite, paddedKey(Buffer.from(target.password)), facts);
  if (!sameBytes(reply.subarray(40), expected)) throw new IpmiFailure('auth', 'password invalid');
  return facts;
}

async function proveAndDerive(exchange: Exchange, target: IpmiTarget, facts: RakpFacts): Promise<SessionKeys> {
  const { suite } = target;
  const userKey = paddedKey(Buffer.from(target.password));
  const keys = sessionKeys(suite, target.kg === null ? userKey : paddedKey(target.kg), facts);
  const rakp3 = Buffer.concat([Buffer.from([0, 0, 0, 0]), facts.bmcSession, rakp3Code(suite, userKey, facts)]);
  const reply = await exchange.ask(
    () => encodeSetup(PAYLOAD.rakp3, rakp3),
    (frame) => setupReply(frame, PAYLOAD.rakp4, 0, 8),
  );
  if (!sameBytes(reply.subarray(8, 8 + suite.rakp4Length), rakp4Code(suite, keys.sik, facts))) {
    throw new IpmiFailure('auth', 'k_g invalid');
  }
  return keys;
}

function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function sessionOver(
  exchange: Exchange,
  target: IpmiTarget,
  keys: SessionKeys,
  facts: RakpFacts,
): IpmiSession & { close(): Promise<void> } {
  const { suite } = target;
  const bmcSession = facts.bmcSession.readUInt32LE(0);
  const ownSession = facts.consoleSession.readUInt32LE(0);
  let packetSequence = 0;
  let requestSequence = 0;

  async function ask(netFn: number, command: number, data: Buffer, tries?: number): Promise<IpmiReply> {
    requestSequence = (requestSequence + 1) & 0x3f;
    const sequence = requestSequence;
    const message = encodeRequest({ netFn, command, sequence, data });
    return await exchange.ask(
      () => {
        // Each sending is a new packet of the session; the request inside keeps its number, so a BMC sees a repeat.
        packetSequence += 1;
        return encodeSession(suite, keys, bmcSession, packetSequence, message);
      },
      (frame) => {
        if (frame.kind !== 'session' || frame.sessionId !== ownSession) return null;
        const plain = openSealed(suite, keys, frame.sealed);
        return plain && replyTo(plain, netFn, command, sequence, target.ignoreChecksums);
      },
      tries,
    );
  }

  return {
    request: async (netFn, command, data, what) => {
      const reply = await ask(netFn, command, data);
      if (reply.completion !== 0) throw completionFailure(reply.completion, what);
      return reply.data;
    },
    close: async () => {
      // The work is done or has failed already; an unanswered farewell changes neither.
      await ask(NETFN.app, 0x3c, facts.bmcSession, 2).catch(() => undefined);
    },
  };
}
