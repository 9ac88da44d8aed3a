import { RACK_PROTOCOL, ToRack, type ToRegion } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import type { Identity } from '../identity/identity.ts';
import { SELF, signedHeaders } from '../identity/signed-headers.ts';
import { type RegionTransport, trustProblem } from '../region/transport.ts';

export type Hello = Extract<ToRegion, { type: 'hello' }>;

export interface LinkOptions {
  region: Pick<RegionTransport, 'link'>;
  /** Signs the upgrade; over the unix socket the region does not ask for it. */
  identity: Identity;
  /** Made anew for each connection. */
  hello(): Hello;
  /** After the region's welcome: what it may have missed is to be sent now. */
  onWelcome(): void;
  onMessage(message: Exclude<ToRack, { type: 'welcome' }>): void;
  log: Logger;
}

export interface Link {
  /** False = not connected; nothing was sent. */
  send(message: ToRegion): boolean;
  connected(): boolean;
  /** The region reads what it was sent; false = keep the rest until it does. */
  hasRoom(): boolean;
  /** Says hello again, over a new connection. */
  reconnect(): void;
  stop(): void;
}

const LINK_PATH = '/rack/v1/link';
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;
/** The region pings every 5 s. */
const SILENCE_MS = 20_000;
const REFUSAL_BYTES = 4096;
const MESSAGE_LIMIT = 64 * 1024 * 1024;
/** A region that reads slowly: evidence waits here, and goes in longer messages, rather than in the socket. */
const UNSENT_LIMIT = 64 * 1024;

/** Keeps one connection to the region, for ever. */
export function openLink(options: LinkOptions): Link {
  const { log } = options;
  let socket: WebSocket | null = null;
  let welcomed = false;
  let stopped = false;
  let wait = FIRST_WAIT_MS;
  let timer: NodeJS.Timeout | undefined;
  let wasAway = false;
  let complaint = '';

  /** Each reason once, until there was a connection again. */
  function complain(reason: string, say: () => void): void {
    if (complaint === reason) return;
    complaint = reason;
    say();
  }

  function connect(): void {
    const { url, options: how } = options.region.link;
    const mine = new WebSocket(url, {
      ...how,
      headers: signedHeaders(options.identity, 'GET', LINK_PATH, SELF, Date.now()),
      maxPayload: MESSAGE_LIMIT,
      handshakeTimeout: 5000,
      perMessageDeflate: false,
    });
    socket = mine;
    let watchdog: NodeJS.Timeout | undefined;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => mine.terminate(), SILENCE_MS);
    };
    mine.on('open', () => {
      alive();
      mine.send(JSON.stringify(options.hello() satisfies ToRegion));
    });
    mine.on('ping', alive);
    mine.on('message', (data) => {
      alive();
      receive(data.toString());
    });
    let refused = false;
    mine.on('unexpected-response', (_request, answer) => {
      let text = '';
      refused = true;
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text = `${text}${chunk}`.slice(0, REFUSAL_BYTES);
      });
      // Its body says what to do. Ending the attempt is ours once we listen for this.
      answer
        .on('error', () => undefined)
        .on('close', () => {
          complain(`${answer.statusCode}`, () =>
            log.error({ status: answer.statusCode, answer: text }, 'region refused this rack'),
          );
          mine.terminate();
        });
    });
    mine.on('error', (error) => {
      const fix = trustProblem(error);
      if (fix !== null) complain(fix, () => log.error({ err: error.message, fix }, 'region link: not trusted'));
      // The region may be away for long: said once, not twice a second.
      else if (!wasAway && !refused) log.warn({ err: error.message }, 'region link: not connected, trying on');
    });
    mine.on('close', (code, reason) => {
      clearTimeout(watchdog);
      if (socket !== mine) return;
      if (welcomed && !stopped) log.warn({ code, reason: reason.toString() }, 'region link closed');
      else if (code > 4000) log.error({ code, reason: reason.toString() }, 'region refused this rack');
      socket = null;
      welcomed = false;
      wasAway = true;
      if (stopped) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  }

  function receive(text: string): void {
    const message = ToRack.safeParse(safeJson(text));
    if (!message.success) {
      // A newer region may say things that this protocol does not have.
      log.warn({ issue: message.error.issues[0], text: text.slice(0, 200) }, 'region link: message not understood');
      return;
    }
    if (message.data.type !== 'welcome') {
      options.onMessage(message.data);
      return;
    }
    if (message.data.protocol !== RACK_PROTOCOL) {
      log.error({ protocol: message.data.protocol }, 'region speaks another protocol');
      socket?.close(4002, 'protocol');
      return;
    }
    welcomed = true;
    wasAway = false;
    complaint = '';
    wait = FIRST_WAIT_MS;
    log.info({ epoch: message.data.epoch }, 'region link: connected');
    options.onWelcome();
  }

  connect();
  return {
    send: (message) => {
      if (!welcomed || socket === null) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    connected: () => welcomed,
    hasRoom: () => socket !== null && socket.bufferedAmount < UNSENT_LIMIT,
    reconnect: () => socket?.close(1000, 'interfaces changed'),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      socket?.terminate();
    },
  };
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
