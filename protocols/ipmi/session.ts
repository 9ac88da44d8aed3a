import { DEFAULT_PATIENCE, type Exchange, openExchange, type Patience } from './exchange.ts';
import { completionFailure, IpmiFailure, PRIVILEGE_INSUFFICIENT, SET_PRIVILEGE } from './failure.ts';
import { encodeSession, type Frame, openSealed } from './frame.ts';
import { type Login, login } from './login.ts';
import { encodeRequest, type IpmiReply, NETFN, replyTo } from './message.ts';
import { PRIVILEGE, type Privilege } from './privilege.ts';
import type { CipherSuite } from './suite.ts';

export interface IpmiTarget {
  host: string;
  port: number;
  /** At most 16 bytes. */
  user: string;
  /** At most 20 bytes. */
  password: string;
  /** K_g, at most 20 bytes; null where the BMC has none. */
  kg: Buffer | null;
  /** 'best' = the best one of those that the BMC says it has, another where that is refused. */
  suite: CipherSuite | 'best';
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
  /**
   * Data of the reply without its completion code. Throws IpmiFailure; `what` names the command in its message. UDP loses
   * packets, so the command may be sent, and by a BMC with a short memory done, more than once.
   */
  request(netFn: number, command: number, data: Buffer, what: string): Promise<Buffer>;
  /** Sends the command a single time. Its answer may be waited for in pieces, with other requests between them. */
  sendOnce(netFn: number, command: number, data: Buffer, what: string): SentOnce;
}

export interface SentOnce {
  /** Whether the answer is there, at the latest after `ms` milliseconds. Throws IpmiFailure when it is a refusal. */
  answered(ms: number): Promise<boolean>;
}

/**
 * When the session is raised to the target's privilege: before anything else, or when the BMC refuses a request without
 * it. A session begins at USER (IPMI 2.0 §6.8), which is enough to look at the power, and spares a round trip.
 */
export type RaisePrivilege = 'first' | 'when refused';

/**
 * Opens an RMCP+ session, lends it to `use` and always closes it: BMCs have few session slots. The BMC's answer to the
 * closing is not waited for. Throws IpmiFailure.
 */
export async function withSession<T>(
  target: IpmiTarget,
  use: (session: IpmiSession) => Promise<T>,
  patience: Patience = DEFAULT_PATIENCE,
  signal?: AbortSignal,
  raise: RaisePrivilege = 'first',
): Promise<T> {
  if (Buffer.byteLength(target.user) > 16) throw new IpmiFailure('setting', 'username is longer than 16 bytes');
  if (Buffer.byteLength(target.password) > 20) throw new IpmiFailure('setting', 'password is longer than 20 bytes');
  const exchange = await openExchange(target.host, target.port, patience, signal);
  try {
    const session = sessionOver(exchange, target, await login(exchange, target));
    try {
      if (raise === 'first') await session.raise();
      return await use(session);
    } finally {
      session.close();
    }
  } finally {
    exchange.close();
  }
}

function sessionOver(
  exchange: Exchange,
  target: IpmiTarget,
  opened: Login,
): IpmiSession & { raise(): Promise<void>; close(): void } {
  const { suite, keys } = opened;
  const bmcSession = opened.bmcSession.readUInt32LE(0);
  let packetSequence = 0;
  let requestSequence = 0;
  let raised = false;
  /** Late answers to commands that are sent only once: looked for in whatever comes. */
  const watched: ((message: Buffer) => void)[] = [];

  function begin(netFn: number, command: number, data: Buffer) {
    requestSequence = (requestSequence + 1) & 0x3f;
    const sequence = requestSequence;
    const message = encodeRequest({ netFn, command, sequence, data });
    return {
      packet: () => {
        // Each sending is a new packet of the session; the request inside keeps its number, so a BMC sees a repeat.
        packetSequence += 1;
        return encodeSession(suite, keys, bmcSession, packetSequence, message);
      },
      read: (plain: Buffer) => replyTo(plain, netFn, command, sequence, target.ignoreChecksums),
    };
  }

  function opening<T>(frame: Frame, read: (plain: Buffer) => T | null): T | null {
    if (frame.kind !== 'session' || frame.sessionId !== opened.consoleSession) return null;
    const plain = openSealed(suite, keys, frame.sealed);
    if (plain === null) return null;
    for (const look of watched) look(plain);
    return read(plain);
  }

  async function ask(netFn: number, command: number, data: Buffer): Promise<IpmiReply> {
    const { packet, read } = begin(netFn, command, data);
    return await exchange.ask(packet, (frame) => opening(frame, read));
  }

  async function raise(): Promise<void> {
    raised = true;
    const reply = await ask(NETFN.app, 0x3b, Buffer.from([PRIVILEGE[target.privilege]]));
    if (reply.completion !== 0) throw completionFailure(reply.completion, SET_PRIVILEGE);
  }

  function sendOnce(netFn: number, command: number, data: Buffer, what: string): SentOnce {
    const { packet, read } = begin(netFn, command, data);
    let reply: IpmiReply | null = null;
    watched.push((plain) => {
      reply ??= read(plain);
    });
    exchange.send(packet());
    return {
      answered: async (ms) => {
        if (reply === null && ms > 0) await exchange.listen((frame) => opening(frame, () => reply), ms);
        if (reply !== null && reply.completion !== 0) throw completionFailure(reply.completion, what);
        return reply !== null;
      },
    };
  }

  return {
    request: async (netFn, command, data, what) => {
      let reply = await ask(netFn, command, data);
      if (reply.completion === PRIVILEGE_INSUFFICIENT && !raised) {
        await raise();
        reply = await ask(netFn, command, data);
      }
      if (reply.completion === 0) return reply.data;
      throw completionFailure(reply.completion, what);
    },
    sendOnce,
    raise,
    // The work is done or has failed already; an unanswered farewell changes neither.
    close: () => exchange.farewell(begin(NETFN.app, 0x3c, opened.bmcSession).packet),
  };
}
