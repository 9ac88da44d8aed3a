import { createSocket, type RemoteInfo } from 'node:dgram';
import { decodePacket, encodePacket, type Packet, TFTP_ERROR } from './packet.ts';
import { asItIs } from './transfer.ts';

export interface TftpRead {
  address: string;
  port: number;
  name: string;
  /** Asked for by RFC 2348; left out = 512 without asking. */
  blockSize?: number;
  /** Asked for by RFC 7440; left out = lockstep without asking. */
  windowSize?: number;
  /** Own address; matters where a server counts transfers by it. */
  localAddress?: string;
  /** Milliseconds without news until the last ACK (or the request) is sent again. */
  timeoutMs?: number;
  /** Time-outs in a row until the server is given up. */
  tries?: number;
  deadlineMs?: number;
  /** Octets taken at most; a longer file ends the transfer with an error. */
  sizeLimit?: number;
  /** Called in order with each block's octets, which are its own to keep. */
  onData?: (data: Buffer) => void;
}

/** `bytes` were received in order; `timeouts` = times that nothing came; `repeats` = blocks that came out of turn. */
export type TftpReadEnd = {
  bytes: number;
  blocks: number;
  timeouts: number;
  repeats: number;
  /** As granted by the server. */
  blockSize: number;
  windowSize: number;
} & (
  | { outcome: 'received' }
  /** The server said no (RFC 1350 §5 codes), was silent, or sent what was not asked. */
  | { outcome: 'refused'; code: number; message: string }
  | { outcome: 'timeout'; message: string }
  | { outcome: 'failed'; message: string }
);

type Problem = Exclude<TftpReadEnd['outcome'], 'received' | 'refused'>;

/** Socket buffer asked of the kernel: a whole window with the kernel's own share must fit, or its end is always lost. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Reads one file in octet mode. Resolves with how it ended; never rejects. */
export function readTftp(read: TftpRead): Promise<TftpReadEnd> {
  const { timeoutMs = 1000, tries = 6, deadlineMs = 300_000, sizeLimit = 8 * 2 ** 30 } = read;
  return new Promise((resolve) => {
    const socket = createSocket({ type: read.address.includes(':') ? 'udp6' : 'udp4', lookup: asItIs });
    const asked: Record<string, string> = {};
    if (read.blockSize !== undefined) asked.blksize = String(read.blockSize);
    if (read.windowSize !== undefined) asked.windowsize = String(read.windowSize);
    const request: Packet = { kind: 'rrq', name: read.name, mode: 'octet', options: asked };
    const tally = { bytes: 0, blocks: 0, timeouts: 0, repeats: 0, blockSize: 512, windowSize: 1 };
    let serverPort: number | null = null;
    let sinceAck = 0;
    /** The gap was told with an ACK; the blocks behind it, still arriving, are not answered again. */
    let gapTold = false;
    let silent = 0;
    let over = false;
    const timer = setTimeout(expired, timeoutMs);
    const deadline = setTimeout(() => fail('timeout', 'the transfer took too long'), deadlineMs);

    function finish(end: TftpReadEnd): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      clearTimeout(deadline);
      socket.close();
      resolve(end);
    }
    function fail(outcome: Problem, message: string): void {
      finish({ ...tally, outcome, message });
    }
    function send(packet: Packet, port: number, then?: () => void): void {
      socket.send(encodePacket(packet), port, read.address, then);
    }
    function giveUp(code: number, message: string): void {
      if (serverPort !== null) send({ kind: 'error', code, message }, serverPort, () => fail('failed', message));
      else fail('failed', message);
    }
    function acknowledge(): void {
      if (serverPort !== null) send({ kind: 'ack', block: tally.blocks & 0xffff }, serverPort);
      sinceAck = 0;
    }
    function expired(): void {
      silent += 1;
      tally.timeouts += 1;
      if (silent >= tries) {
        fail('timeout', `no answer in ${tries} × ${timeoutMs} ms`);
        return;
      }
      gapTold = false;
      if (serverPort === null) send(request, read.port);
      else acknowledge();
      timer.refresh();
    }

    function receive(bytes: Buffer, from: RemoteInfo): void {
      if (over || from.address !== read.address) return;
      // RFC 1350 §4: the first answer's port is the transfer; any other is a stranger's.
      if (serverPort !== null && from.port !== serverPort) {
        send({ kind: 'error', code: TFTP_ERROR.unknownTransfer, message: 'unknown transfer' }, from.port);
        return;
      }
      const packet = decodePacket(bytes);
      if (packet === null) return;
      if (packet.kind === 'error') finish({ ...tally, outcome: 'refused', code: packet.code, message: packet.message });
      else if (packet.kind === 'oack' && tally.blocks === 0) takeOffer(packet.options, from.port);
      else if (packet.kind === 'data') takeData(packet.block, packet.data, from.port);
    }
    function takeOffer(options: Record<string, string>, port: number): void {
      serverPort = port;
      const blockSize = Number(options.blksize ?? 512);
      const windowSize = Number(options.windowsize ?? 1);
      const fitting =
        blockSize >= 8 &&
        blockSize <= (read.blockSize ?? 512) &&
        windowSize >= 1 &&
        windowSize <= (read.windowSize ?? 1);
      // A number that is no number fails these comparisons too.
      if (!fitting) {
        giveUp(TFTP_ERROR.optionRefused, 'the server granted what was not asked');
        return;
      }
      tally.blockSize = blockSize;
      tally.windowSize = windowSize;
      progress();
      acknowledge();
    }
    function takeData(wireBlock: number, data: Buffer, port: number): void {
      serverPort ??= port;
      const ahead = (wireBlock - tally.blocks) & 0xffff;
      if (ahead !== 1) outOfTurn(ahead);
      else if (data.length > tally.blockSize) giveUp(TFTP_ERROR.illegalOperation, 'a block longer than granted');
      else if (tally.bytes + data.length > sizeLimit)
        giveUp(TFTP_ERROR.diskFull, `the file is longer than ${sizeLimit} bytes`);
      else takeNext(data);
    }
    function takeNext(data: Buffer): void {
      tally.blocks += 1;
      tally.bytes += data.length;
      progress();
      read.onData?.(data);
      sinceAck += 1;
      const last = data.length < tally.blockSize;
      if (last || sinceAck >= tally.windowSize) acknowledge();
      // Should that ACK be lost, the server times out once and has sent all the same.
      if (last) finish({ ...tally, outcome: 'received' });
    }
    function outOfTurn(ahead: number): void {
      tally.repeats += 1;
      // The last block once more, and it was acknowledged: that ACK was lost. A later block: something before it was.
      const lost = ahead !== 0 && ahead < 0x8000;
      if ((ahead === 0 && sinceAck === 0) || (lost && !gapTold)) acknowledge();
      if (lost) gapTold = true;
    }
    function progress(): void {
      silent = 0;
      gapTold = false;
      timer.refresh();
    }

    socket.on('message', receive);
    socket.on('error', (error) => fail('failed', error.message));
    socket.bind({ address: read.localAddress, port: 0 }, () => {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      send(request, read.port);
    });
  });
}
