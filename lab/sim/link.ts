import { RACK_PROTOCOL, type RackInterface, ToRack, type ToRegion } from '@ingot/contract/rack.ts';
import { WebSocket } from 'ws';
import type { SimulatedIdentity } from './identity.ts';

export interface SimulatedLink {
  /** Kept, at most QUEUE_LIMIT messages, until the region is there. */
  send(message: ToRegion): void;
  connected(): boolean;
  stop(): void;
}

export interface SimulatedLinkOptions {
  socketPath: string;
  name: string;
  identity: SimulatedIdentity;
  interfaces: RackInterface[];
  /** After each welcome, before what was queued. */
  onWelcome(): void;
  onMessage(message: Exclude<ToRack, { type: 'welcome' }>): void;
}

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 500;
const QUEUE_LIMIT = 5000;

/** The rack's end of contract/rack.ts, connected again for as long as it is not stopped. */
export function openSimulatedLink(options: SimulatedLinkOptions): SimulatedLink {
  let socket: WebSocket | null = null;
  let welcomed = false;
  let stopped = false;
  let wait = FIRST_WAIT_MS;
  let timer: NodeJS.Timeout | undefined;
  const queue: ToRegion[] = [];

  function connect(): void {
    const mine = new WebSocket(`ws+unix:${options.socketPath}:/rack/v1/link`, { handshakeTimeout: 5000 });
    socket = mine;
    mine.on('open', () => {
      const hello: ToRegion = {
        type: 'hello',
        protocols: [RACK_PROTOCOL],
        rack: options.identity.rack,
        name: options.name,
        version: 'simulated',
        interfaces: options.interfaces,
        snapshotVersion: null,
        publicKey: options.identity.publicKey,
      };
      mine.send(JSON.stringify(hello));
    });
    mine.on('message', (data) => receive(mine, data.toString()));
    // 'close' follows, and with it the next try.
    mine.on('error', () => undefined);
    mine.on('close', () => {
      if (socket !== mine) return;
      socket = null;
      welcomed = false;
      if (stopped) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  }

  function receive(from: WebSocket, text: string): void {
    const message = ToRack.parse(JSON.parse(text));
    if (message.type !== 'welcome') {
      options.onMessage(message);
      return;
    }
    welcomed = true;
    wait = FIRST_WAIT_MS;
    options.onWelcome();
    for (const waiting of queue.splice(0)) from.send(JSON.stringify(waiting));
  }

  connect();
  return {
    send: (message) => {
      if (welcomed && socket) socket.send(JSON.stringify(message));
      else if (queue.length < QUEUE_LIMIT) queue.push(message);
    },
    connected: () => welcomed,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      socket?.terminate();
    },
  };
}
