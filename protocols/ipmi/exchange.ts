import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
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
  close(): void;
}

export async function openExchange(
  host: string,
  port: number,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Exchange> {
  const deadline = performance.now() + patience.deadlineMs;
  const address = await resolveHost(host, patience.deadlineMs);
  const socket: Socket = createSocket(address.family === 6 ? 'udp6' : 'udp4');
  let onFrame: ((frame: Frame) => void) | null = null;
  let onError: ((error: Error) => void) | null = null;
  socket.on('message', (bytes) => {
    const frame = decodeFrame(bytes);
    if (frame) onFrame?.(frame);
  });
  socket.on('error', (error) => onError?.(error));
  await new Promise<void>((resolve, reject) => {
    onError = (error) => reject(new IpmiFailure('connection', `connection failed: ${error.message}`));
    socket.connect(port, address.address, resolve);
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  onError = null;

  return {
    ask: (build, accept, tries = patience.tries) =>
      new Promise((resolve, reject) => {
        let sendings = 0;
        let timer: NodeJS.Timeout | undefined;
        const settle = (end: () => void) => {
          clearTimeout(timer);
          onFrame = null;
          onError = null;
          signal?.removeEventListener('abort', onAbort);
          end();
        };
        const fail = (message: string) => settle(() => reject(new IpmiFailure('connection', message)));
        const onAbort = () => fail('cancelled');
        const send = () => {
          const left = deadline - performance.now();
          if (sendings >= tries || left <= 0) {
            fail('connection timeout');
            return;
          }
          socket.send(build(sendings));
          timer = setTimeout(send, Math.min(patience.firstWaitMs * 2 ** sendings, left));
          sendings += 1;
        };
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
        signal?.addEventListener('abort', onAbort, { once: true });
        if (signal?.aborted) onAbort();
        else send();
      }),
    close: () => socket.close(),
  };
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
