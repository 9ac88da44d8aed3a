import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Terms } from './negotiate.ts';
import { decodePacket, encodePacket, type Packet, TFTP_ERROR } from './packet.ts';

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
  /** Sendings of one block before the client is given up. */
  tries: number;
  /** Milliseconds for the whole file. */
  deadlineMs: number;
}

/**
 * Sends one file from a port of its own (the transfer identifier of RFC 1350 §4). Resolves with how it ended and the
 * octets acknowledged; never rejects.
 *
 * An ACK counts only when it names the block in flight, and only a timer makes a block go out again: answering
 * duplicate ACKs would double every later packet (the "sorcerer's apprentice", RFC 1123 §4.2.3.1).
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
    const socket: Socket = createSocket({ type: localAddress.includes(':') ? 'udp6' : 'udp4' });
    let offset = 0;
    let inFlight: { bytes: Buffer; payload: number; last: boolean } | null = null;
    /** Counts on beyond 65535; the wire carries it modulo 65536. */
    let block = 0;
    let tries = 0;
    let over = false;
    let timer: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => finish(timedOut('the transfer took too long')), limits.deadlineMs);

    const timedOut = (why: string): TransferEnd => ({ outcome: 'timeout', message: `${why} (block ${block})` });
    function finish(end: TransferEnd): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      clearTimeout(deadline);
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve({ ...end, bytes: Math.min(offset, file.size) });
    }
    function finishWithError(code: number, message: string): void {
      const end: TransferEnd = { outcome: 'failed', message };
      socket.send(encodePacket({ kind: 'error', code, message }), remote.port, remote.address, () => finish(end));
    }
    function onAbort(): void {
      finishWithError(TFTP_ERROR.undefined, 'server is stopping');
    }

    function transmit(): void {
      if (over || inFlight === null) return;
      if (tries >= limits.tries) {
        finish(timedOut(`no answer to ${tries} sendings`));
        return;
      }
      tries += 1;
      socket.send(inFlight.bytes, remote.port, remote.address, (error) => {
        if (error) finish({ outcome: 'failed', message: error.message });
      });
      timer = setTimeout(transmit, terms.timeoutSeconds * 1000);
    }
    function put(packet: Packet, payload: number, last: boolean): void {
      clearTimeout(timer);
      inFlight = { bytes: encodePacket(packet), payload, last };
      tries = 0;
      transmit();
    }
    async function sendNextBlock(): Promise<void> {
      const length = Math.min(terms.blockSize, file.size - offset);
      block += 1;
      try {
        const data = length > 0 ? await file.read(offset, length) : Buffer.alloc(0);
        if (over) return;
        if (data.length !== length) return finishWithError(TFTP_ERROR.undefined, 'file ended early');
        put({ kind: 'data', block: block & 0xffff, data }, length, length < terms.blockSize);
      } catch (error) {
        finishWithError(TFTP_ERROR.undefined, error instanceof Error ? error.message : String(error));
      }
    }

    function receive(bytes: Buffer, from: RemoteInfo): void {
      if (from.address !== remote.address || from.port !== remote.port) {
        // RFC 1350 §4: answer the stranger, leave the transfer alone.
        const error = encodePacket({ kind: 'error', code: TFTP_ERROR.unknownTransfer, message: 'unknown transfer' });
        socket.send(error, from.port, from.address);
        return;
      }
      const packet = decodePacket(bytes);
      if (packet?.kind === 'error') {
        finish({ outcome: 'aborted', message: `client: ${packet.message} (code ${packet.code})` });
        return;
      }
      if (packet?.kind !== 'ack' || inFlight === null || packet.block !== (block & 0xffff)) return;
      clearTimeout(timer);
      offset += inFlight.payload;
      const wasLast = inFlight.last;
      inFlight = null;
      if (wasLast) finish({ outcome: 'sent' });
      else void sendNextBlock();
    }

    socket.on('message', receive);
    socket.on('error', (error) => finish({ outcome: 'failed', message: error.message }));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.bind({ address: localAddress, port: 0 }, () => {
      if (signal.aborted) return onAbort();
      if (Object.keys(terms.granted).length > 0) put({ kind: 'oack', options: terms.granted }, 0, false);
      else void sendNextBlock();
    });
  });
}
