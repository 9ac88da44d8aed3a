import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Terms } from './negotiate.ts';
import { decodePacket, encodePacket, OPCODE, TFTP_ERROR } from './packet.ts';
import { acknowledge, blocksToSend, goBack, openWindow } from './window.ts';

export interface Remote {
  address: string;
  port: number;
}

/** What a name opens to. `read` returns fewer bytes than asked only at the end of the file. */
export interface TftpFile {
  size: number;
  read(offset: number, length: number): Promise<Buffer> | Buffer;
  close?(): void;
}

export type TransferEnd =
  | { outcome: 'sent' }
  /** The client said it wants no more; boot ROMs do this after asking a file's size. */
  | { outcome: 'aborted'; message: string }
  | { outcome: 'timeout'; message: string }
  | { outcome: 'failed'; message: string };

export interface TransferLimits {
  /** Sendings of one window before the client is given up. */
  tries: number;
  /** Milliseconds for the whole file. */
  deadlineMs: number;
}

const HEAD = 4;

/** Addresses arrive as numbers: without this, each packet would wait a turn of the event loop for a name to be looked up. */
export function asItIs(
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, address.includes(':') ? 6 : 4);
}

/**
 * Sends one file from a port of its own (the transfer identifier of RFC 1350 §4). Resolves with how it ended and the
 * octets acknowledged; never rejects. Which blocks go out when is decided by `window.ts`; besides, only a timer makes
 * a block go out again.
 */
export function sendFile(
  file: TftpFile,
  terms: Terms,
  remote: Remote,
  localAddress: string,
  limits: TransferLimits,
  signal: AbortSignal,
): Promise<TransferEnd & { bytes: number }> {
  return new Promise((resolve) => {
    const socket: Socket = createSocket({ type: localAddress.includes(':') ? 'udp6' : 'udp4', lookup: asItIs });
    const window = openWindow(terms.windowSize, file.size, terms.blockSize);
    /** The options' answer while it is not acknowledged: it is block 0, alone in its window. */
    let offer = Object.keys(terms.granted).length > 0 ? encodePacket({ kind: 'oack', options: terms.granted }) : null;
    let tries = 0;
    /** Blocks are being read: an ACK meanwhile moves the window, and the reader looks again when it is done. */
    let reading = false;
    let over = false;
    let timer: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => finish(timedOut('the transfer took too long')), limits.deadlineMs);

    const timedOut = (why: string): TransferEnd => ({ outcome: 'timeout', message: `${why} (block ${window.base})` });
    function finish(end: TransferEnd): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      clearTimeout(deadline);
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve({ ...end, bytes: Math.min((window.base - 1) * terms.blockSize, file.size) });
    }
    function finishWithError(code: number, message: string): void {
      const end: TransferEnd = { outcome: 'failed', message };
      socket.send(encodePacket({ kind: 'error', code, message }), remote.port, remote.address, () => finish(end));
    }
    function onAbort(): void {
      finishWithError(TFTP_ERROR.undefined, 'server is stopping');
    }
    function sent(error: Error | null): void {
      if (error) finish({ outcome: 'failed', message: error.message });
    }

    /** Starts the wait for an ACK, or lets it begin anew. */
    function wait(): void {
      if (timer === undefined) timer = setTimeout(again, terms.timeoutSeconds * 1000);
      else timer.refresh();
    }
    function again(): void {
      timer = undefined;
      if (tries >= limits.tries) {
        finish(timedOut(`no answer to ${tries} sendings`));
        return;
      }
      goBack(window);
      transmit();
    }

    function transmit(): void {
      if (over || reading) return;
      tries += 1;
      if (offer !== null) {
        socket.send(offer, remote.port, remote.address, sent);
        wait();
        return;
      }
      const first = window.next;
      const blocks = blocksToSend(window);
      const offset = (first - 1) * terms.blockSize;
      const length = Math.min(blocks * terms.blockSize, file.size - offset);
      try {
        const data = length > 0 ? file.read(offset, length) : Buffer.alloc(0);
        if (Buffer.isBuffer(data)) sendBlocks(first, blocks, data, length);
        else {
          reading = true;
          data.then((bytes) => afterRead(first, blocks, bytes, length), unreadable);
        }
      } catch (error) {
        unreadable(error);
      }
    }
    function unreadable(error: unknown): void {
      if (!over) finishWithError(TFTP_ERROR.undefined, error instanceof Error ? error.message : String(error));
    }
    function afterRead(first: number, blocks: number, data: Buffer, length: number): void {
      reading = false;
      if (over) return;
      // An ACK that came meanwhile moved the window: what was read is no longer what is due.
      if (first === window.next && blocks === blocksToSend(window)) sendBlocks(first, blocks, data, length);
      else transmit();
    }
    function sendBlocks(first: number, blocks: number, data: Buffer, length: number): void {
      if (data.length !== length) {
        finishWithError(TFTP_ERROR.undefined, 'file ended early');
        return;
      }
      window.next = first + blocks;
      for (let i = 0; i < blocks && !over; i++) {
        const from = i * terms.blockSize;
        const payload = Math.min(terms.blockSize, length - from);
        const packet = Buffer.allocUnsafe(HEAD + payload);
        packet[0] = 0;
        packet[1] = OPCODE.data;
        packet.writeUInt16BE((first + i) & 0xffff, 2);
        data.copy(packet, HEAD, from, from + payload);
        socket.send(packet, remote.port, remote.address, sent);
      }
      wait();
    }

    function receive(bytes: Buffer, from: RemoteInfo): void {
      if (over) return;
      if (from.port !== remote.port || from.address !== remote.address) {
        // RFC 1350 §4: answer the stranger, leave the transfer alone.
        const error = encodePacket({ kind: 'error', code: TFTP_ERROR.unknownTransfer, message: 'unknown transfer' });
        socket.send(error, from.port, from.address);
        return;
      }
      const packet = decodePacket(bytes);
      if (packet?.kind === 'error') {
        finish({ outcome: 'aborted', message: `client: ${packet.message} (code ${packet.code})` });
      } else if (packet?.kind === 'ack') take(packet.block);
    }
    function take(block: number): void {
      const acknowledged = window.base;
      if (offer !== null) {
        if (block !== 0) return;
        offer = null;
        tries = 0;
      } else {
        const meaning = acknowledge(window, block);
        if (meaning === 'nothing') return;
        if (meaning === 'done') {
          finish({ outcome: 'sent' });
          return;
        }
        // Only news count: a client that repeats itself is given up like a silent one.
        if (window.base > acknowledged) tries = 0;
      }
      transmit();
    }

    socket.on('message', receive);
    socket.on('error', (error) => finish({ outcome: 'failed', message: error.message }));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.bind({ address: localAddress, port: 0 }, () => {
      if (signal.aborted) onAbort();
      else transmit();
    });
  });
}
