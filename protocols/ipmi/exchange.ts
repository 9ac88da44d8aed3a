import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { IpmiFailure } from './failure.ts';
import { decodeFrame, type Frame } from './frame.ts';

/** How long to wait for a BMC. UDP loses packets, so each step is sent again; `deadlineMs` bounds all steps together. */
export interface Patience {
  /** Milliseconds until the first repeat; doubles with each. */
  firstWaitMs: number;
  /** Sendings of one packet. */
  tries: number;
  deadlineMs: number;
}

/** 0.5 + 1 + 2 + 4 s for a BMC that does not answer at all. */
export const DEFAULT_PATIENCE: Patience = { firstWaitMs: 500, tries: 4, deadlineMs: 20_000 };

/** One question, one answer at a time, over one connected UDP socket. */
export interface Exchange {
  /**
   * Sends `build(sending)` until `accept` returns something for a received frame. Throws IpmiFailure('connection') when
   * the BMC stays silent; what `accept` throws ends the exchange.
   */
  ask<T>(build: (sending: number) => Buffer, accept: (frame: Frame) => T | null, tries?: number): Promise<T>;
  /** Sends one packet once. */
  send(packet: Buffer): void;
  /** What `accept` makes of the frames that come within `ms` milliseconds; null when that is nothing. Throws as `ask`. */
  listen<T>(accept: (frame: Frame) => T | null, ms: number): Promise<T | null>;
  /**
   * The last word: sends it, and once more if nothing at all comes back, then closes. Nobody waits for it, neither the
   * caller nor the end of the process.
   */
  farewell(build: () => Buffer): void;
  /** Has no effect after a farewell. */
  close(): void;
}

const FAREWELLS = 2;

export async function openExchange(
  host: string,
  port: number,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Exchange> {
  const deadline = performance.now() + patience.deadlineMs;
  const literal = isIP(host);
  const address = literal === 0 ? await resolveHost(host, patience.deadlineMs) : { address: host, family: literal };
  const socket: Socket = createSocket({
    type: address.family === 6 ? 'udp6' : 'udp4',
    // It is an address already: the resolver's detour costs more than the rest of making a socket.
    lookup: (literalHost, _options, answer) => answer(null, literalHost, address.family),
  });
  let onFrame: ((frame: Frame) => void) | null = null;
  let onError: ((error: Error) => void) | null = null;
  let onAbort: (() => void) | null = null;
  const abort = () => onAbort?.();
  signal?.addEventListener('abort', abort);
  let unreadable = 0;
  socket.on('message', (bytes) => {
    const frame = decodeFrame(bytes);
    if (frame) onFrame?.(frame);
    else unreadable += 1;
  });
  socket.on('error', (error) => onError?.(error));
  await new Promise<void>((resolve, reject) => {
    onError = (error) => reject(new IpmiFailure('connection', `connection failed: ${error.message}`));
    socket.connect(port, address.address, resolve);
  }).catch((error: unknown) => {
    signal?.removeEventListener('abort', abort);
    socket.close();
    throw error;
  });
  onError = null;

  const left = () => deadline - performance.now();
  let leaving = false;

  /** Runs until `accept` takes a frame, the socket fails or the caller gives up; `begin` may end it too. */
  function attend<T>(
    accept: (frame: Frame) => T | null,
    begin: (end: {
      resolve(value: T | null): void;
      fail(message: string): void;
      after(ms: number, then: () => void): void;
    }) => void,
  ): Promise<T | null> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (end: () => void) => {
        clearTimeout(timer);
        onFrame = null;
        onError = null;
        onAbort = null;
        end();
      };
      const fail = (message: string) => settle(() => reject(new IpmiFailure('connection', message)));
      onAbort = () => fail('cancelled');
      onFrame = (frame) => {
        try {
          const answer = accept(frame);
          if (answer !== null) settle(() => resolve(answer));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      // A closed port is told by ICMP: no use in waiting for it.
      onError = (error) => fail(`connection refused: ${error.message}`);
      if (signal?.aborted) {
        fail('cancelled');
        return;
      }
      const after = (ms: number, then: () => void) => {
        timer = setTimeout(then, ms);
      };
      begin({ resolve: (value) => settle(() => resolve(value)), fail, after });
    });
  }

  return {
    ask: async (build, accept, tries = patience.tries) => {
      let sendings = 0;
      const answer = await attend(accept, ({ fail, after }) => {
        const send = () => {
          if (sendings >= tries || left() <= 0) {
            fail(timeout());
            return;
          }
          socket.send(build(sendings));
          after(Math.min(patience.firstWaitMs * 2 ** sendings, left()), send);
          sendings += 1;
        };
        send();
      });
      if (answer === null) throw new IpmiFailure('connection', timeout());
      return answer;
    },
    send: (packet) => socket.send(packet),
    listen: (accept, ms) =>
      attend(accept, ({ resolve, after }) => after(Math.max(0, Math.min(ms, left())), () => resolve(null))),
    farewell: (build) => {
      if (leaving) return;
      leaving = true;
      signal?.removeEventListener('abort', abort);
      socket.unref();
      socket.removeAllListeners('message');
      let sendings = 0;
      let timer: NodeJS.Timeout | undefined;
      const end = () => {
        clearTimeout(timer);
        socket.close();
      };
      socket.once('message', end);
      onError = end;
      const send = () => {
        if (sendings === FAREWELLS) {
          end();
          return;
        }
        socket.send(build());
        timer = setTimeout(send, patience.firstWaitMs * 2 ** sendings).unref();
        sendings += 1;
      };
      send();
    },
    close: () => {
      signal?.removeEventListener('abort', abort);
      if (!leaving) socket.close();
    },
  };

  function timeout(): string {
    return unreadable === 0 ? 'connection timeout' : `connection timeout (${unreadable} answers were no IPMI packets)`;
  }
}

/** A resolver that hangs must not hold the caller longer than a silent BMC would. */
async function resolveHost(host: string, deadlineMs: number): Promise<{ address: string; family: number }> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('name resolution timeout')), deadlineMs);
  });
  try {
    return await Promise.race([lookup(host), tooLate]);
  } catch {
    throw new IpmiFailure('connection', `hostname invalid: ${host} cannot be resolved`);
  } finally {
    clearTimeout(timer);
  }
}
