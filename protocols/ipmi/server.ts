import { createHash } from 'node:crypto';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { pongFor } from './asf.ts';
import { type BmcChassis, type CommandSurroundings, isChassisControl, runCommand } from './bmc-commands.ts';
import { type BmcFaults, createChance, malform } from './bmc-faults.ts';
import {
  answerSetup,
  type BmcSession,
  type BmcUser,
  type KeptAnswer,
  openPacket,
  type SessionTable,
  sealReply,
} from './bmc-session.ts';
import { decodeFrame, encodePlain, encodeSetup, PAYLOAD } from './frame.ts';
import { decodeRequest, encodeReply, type IpmiRequest } from './message.ts';
import { CIPHER_SUITES, type CipherSuite } from './suite.ts';

export interface BmcServerOptions {
  /** An address of this host, e.g. any of 127.0.0.0/8. */
  address: string;
  /** 0 = any free one. */
  port: number;
  /** Looked up at each login, so what the owner changes counts at the next. */
  users: readonly BmcUser[];
  /** K_g, at most 20 bytes. */
  kg?: Buffer;
  /** Numbers of the cipher suites it takes, of 3 and 17; both unless given. */
  suites?: readonly number[];
  chassis: BmcChassis;
  /** 16 bytes; made from address and port unless given. */
  guid?: Buffer;
  faults?: () => BmcFaults;
  /** Of the packets that `faults` loses and alters. */
  seed?: number;
}

export interface BmcServer {
  address: string;
  port: number;
  /** Sessions that stand. */
  sessions(): number;
  /** Packets that came, counted before faults. */
  received(): number;
  close(): Promise<void>;
}

/** How long a repeated request gets the answer of the first: request numbers come round after 64. */
const KEPT_MS = 10_000;
const KEPT_ANSWERS = 4;
/** Larger packets are none of ours. */
const LARGEST_REQUEST = 512;

/**
 * A BMC over UDP: RMCP+ with suites 3 and 17, power and boot. One socket each, so that thousands stand side by side on
 * addresses of the loopback network. Rejects with Node's error when the address cannot be had.
 */
export async function startBmcServer(options: BmcServerOptions): Promise<BmcServer> {
  const { chassis } = options;
  const faults = options.faults ?? (() => NO_FAULTS);
  const suites = (options.suites ?? [3, 17]).map(suiteOf);
  const table: SessionTable = new Map();
  const boot = new Map<number, Buffer>();
  const delayed = new Set<NodeJS.Timeout>();
  const chance = createChance(options.seed ?? 0);
  let received = 0;
  let closed = false;

  const socket = createSocket(options.address.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(options.port, options.address, resolve);
  });
  socket.removeAllListeners('error');
  // A console that is gone is told by ICMP; it does not concern the BMC.
  socket.on('error', () => undefined);
  const { port } = socket.address();
  const guid = options.guid ?? createHash('md5').update(`${options.address}:${port}`).digest();

  function send(bytes: Buffer, to: RemoteInfo, delayMs: number): void {
    const { loss = 0, malformed = 0, delayMs: always = 0 } = faults();
    if (loss > 0 && chance() < loss) return;
    const sent = malformed > 0 && chance() < malformed ? malform(bytes, chance) : bytes;
    const wait = delayMs + always;
    const go = () => {
      if (!closed) socket.send(sent, to.port, to.address);
    };
    if (wait === 0) {
      go();
      return;
    }
    const timer = setTimeout(() => {
      delayed.delete(timer);
      go();
    }, wait);
    delayed.add(timer);
  }

  const surroundings = (): CommandSurroundings => {
    const hasKg = options.kg !== undefined;
    return { chassis, suites, hasKg, guid, boot, table, faults: faults() };
  };

  /** A command outside of a session, answered in the wrapper that it came in. */
  async function answerPlain(message: Buffer, from: RemoteInfo, wrap: (reply: Buffer) => Buffer): Promise<void> {
    const request = decodeRequest(message);
    if (request === null) return;
    const { completion, data } = await runCommand(request, surroundings(), null);
    send(wrap(encodeReply({ ...request, netFn: request.netFn | 1, completion, data })), from, 0);
  }

  async function answerInSession(session: BmcSession, message: Buffer, repeated: boolean, from: RemoteInfo) {
    const request = decodeRequest(message);
    if (request === null) return;
    const given = faults();
    const late = isChassisControl(request) ? given.control : undefined;
    const reply = (bytes: Buffer) => {
      const sealed = sealReply(session, bytes);
      if (sealed !== null && late !== 'unanswered') send(sealed, from, late?.delayMs ?? 0);
    };
    if (given.forgetful !== true) {
      const known = keptAnswer(session, message);
      if (known?.reply) reply(known.reply);
      if (known) return;
      // Its answer is forgotten: to do it again would be worse than to say nothing.
      if (repeated) return;
    }
    reply(await executeOnce(session, message, request));
  }

  async function executeOnce(session: BmcSession, message: Buffer, request: IpmiRequest): Promise<Buffer> {
    const entry: KeptAnswer = { request: Buffer.from(message), reply: null, atMs: performance.now() };
    session.kept.push(entry);
    if (session.kept.length > KEPT_ANSWERS) session.kept.shift();
    const { completion, data, closes } = await runCommand(request, surroundings(), session);
    entry.reply = encodeReply({ ...request, netFn: request.netFn | 1, completion, data });
    if (closes) table.delete(session.id);
    return entry.reply;
  }

  socket.on('message', (bytes, from) => {
    received += 1;
    const { silent, loss = 0, refusesLogin = false } = faults();
    if (silent || bytes.length > LARGEST_REQUEST || (loss > 0 && chance() < loss)) return;
    const pong = pongFor(bytes);
    if (pong) {
      send(pong, from, 0);
      return;
    }
    const frame = decodeFrame(bytes);
    if (frame === null) return;
    const now = performance.now();
    const peer = `${from.address}:${from.port}`;
    switch (frame.kind) {
      case 'plain':
        void answerPlain(frame.message, from, encodePlain);
        return;
      case 'setup': {
        if (frame.payloadType === PAYLOAD.ipmi) {
          void answerPlain(frame.payload, from, (reply) => encodeSetup(PAYLOAD.ipmi, reply));
          return;
        }
        const rules = { users: options.users, kg: options.kg ?? null, suites, guid, refusesLogin };
        const answer = answerSetup(frame, peer, table, rules, now);
        if (answer !== null) send(answer, from, 0);
        return;
      }
      case 'session': {
        const opened = openPacket(frame, peer, table, now);
        if (opened !== null) void answerInSession(opened.session, opened.message, opened.repeated, from);
        return;
      }
    }
  });

  return {
    address: options.address,
    port,
    sessions: () => [...table.values()].filter((session) => session.keys !== null).length,
    received: () => received,
    close: async () => {
      closed = true;
      for (const timer of delayed) clearTimeout(timer);
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

const NO_FAULTS: BmcFaults = {};

function keptAnswer(session: BmcSession, message: Buffer): KeptAnswer | undefined {
  const now = performance.now();
  return session.kept.find((entry) => now - entry.atMs < KEPT_MS && entry.request.equals(message));
}

function suiteOf(id: number): CipherSuite {
  const suite = CIPHER_SUITES.find((each) => each.id === id);
  if (suite === undefined) throw new Error(`cipher suite ${id} is not spoken; use 3 or 17`);
  return suite;
}
