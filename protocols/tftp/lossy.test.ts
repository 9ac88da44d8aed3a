import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTftp } from './client.ts';
import { decodePacket } from './packet.ts';
import { startTftpServer } from './server.ts';
import { sendFile } from './transfer.ts';
import { acknowledge, blocksToSend, goBack, openWindow } from './window.ts';

/** Numbers from a seed, so that a failing run can be repeated (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Faults {
  lose: number;
  double: number;
  swap: number;
}

/** A client to the server and back through a network that loses, doubles and reorders by a seed. */
async function lossyRead(bytes: Buffer, blockSize: number, windowSize: number, faults: Faults, seed: number) {
  const random = seeded(seed);
  const front = createSocket('udp4');
  const back = createSocket('udp4');
  let client: RemoteInfo | null = null;
  let sent = 0;
  let held: (() => void) | null = null;
  const pass = (send: () => void) => {
    if (random() < faults.lose) return;
    if (held === null && random() < faults.swap) {
      held = send;
      return;
    }
    send();
    if (random() < faults.double) send();
    held?.();
    held = null;
  };
  const bound = (socket: Socket) => new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  await Promise.all([bound(front), bound(back)]);
  const stopping = new AbortController();
  let serverPort = 0;
  let done: ReturnType<typeof sendFile> | undefined;
  // The server's side as it is after the request: terms agreed on, the client is the relay's back.
  front.on('message', (packet, from) => {
    client = from;
    const decoded = decodePacket(packet);
    if (decoded?.kind === 'rrq') {
      done ??= sendFile(
        { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) },
        {
          blockSize,
          windowSize,
          timeoutSeconds: 0.03,
          granted: { blksize: String(blockSize), windowsize: String(windowSize) },
        },
        { address: '127.0.0.1', port: back.address().port },
        '127.0.0.1',
        { tries: 200, deadlineMs: 15_000 },
        stopping.signal,
      );
    } else if (serverPort > 0) pass(() => back.send(packet, serverPort, '127.0.0.1', () => undefined));
  });
  back.on('message', (packet, from) => {
    serverPort = from.port;
    sent += 1;
    const to = client;
    if (to !== null) pass(() => front.send(packet, to.port, to.address, () => undefined));
  });
  const chunks: Buffer[] = [];
  const end = await readTftp({
    address: '127.0.0.1',
    port: front.address().port,
    name: 'a',
    blockSize,
    windowSize,
    timeoutMs: 40,
    tries: 200,
    deadlineMs: 15_000,
    onData: (data) => chunks.push(data),
  });
  stopping.abort();
  await done;
  front.close();
  back.close();
  return { end, got: Buffer.concat(chunks), sent };
}

describe('TFTP over a bad network', () => {
  /**
   * @fault TFTP packets are lost, doubled or overtaken between a machine and the rack.
   * @sees A slower boot; the read's evidence says "sent".
   * @ends The file arrives byte for byte, in lockstep and with any window.
   */
  it.each([1, 4, 16, 64])(
    'brings every byte with a window of %i',
    async (windowSize) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 40_000 }),
          fc.constantFrom(64, 512, 1468),
          fc.record({
            lose: fc.constantFrom(0, 0.02, 0.15),
            double: fc.constantFrom(0, 0.1),
            swap: fc.constantFrom(0, 0.1),
          }),
          fc.integer(),
          async (size, blockSize, faults, seed) => {
            const bytes = randomBytes(size);
            const { end, got } = await lossyRead(bytes, blockSize, windowSize, faults, seed);
            expect(end.outcome).toBe('received');
            expect(got.equals(bytes)).toBe(true);
          },
        ),
        { numRuns: 6, seed: 7440 + windowSize, endOnFailure: true },
      );
    },
    60_000,
  );

  it('does not send windows twice for the rest of the file after one doubled ACK (RFC 1123 §4.2.3.1)', async () => {
    const bytes = randomBytes(512 * 1000);
    const { end, got, sent } = await lossyRead(bytes, 512, 8, { lose: 0, double: 0.05, swap: 0 }, 1);
    expect(end.outcome).toBe('received');
    expect(got.equals(bytes)).toBe(true);
    // About 125 ACKs, of which six or so are doubled, and each may cost a window or two; doubling on would be 2000.
    expect(sent).toBeLessThan(1300);
  });

  it('goes on when the block number wraps inside a window', async () => {
    const bytes = randomBytes(8 * 65_600 + 3);
    const server = await startTftpServer({
      address: '127.0.0.1',
      port: 0,
      open: () => ({ size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }),
      onDone: () => undefined,
    });
    const chunks: Buffer[] = [];
    const read = { address: '127.0.0.1', port: server.port, name: 'a', blockSize: 8, windowSize: 15 };
    const end = await readTftp({ ...read, onData: (data) => chunks.push(data) });
    expect(end).toMatchObject({ outcome: 'received', blocks: 65_601, windowSize: 15 });
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    await server.close();
  }, 60_000);
});

describe('the window', () => {
  it('never leaves the file, never goes back, and a timer always has something to send', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 200_000 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom('next', 'part', 'again', 'timer')), {
          maxLength: 200,
        }),
        (size, fileSize, events) => {
          const window = openWindow(size, fileSize, 512);
          window.next += blocksToSend(window);
          for (const event of events) {
            const before = window.base;
            let meaning: string = 'send';
            if (event === 'timer') goBack(window);
            else {
              const block =
                event === 'next'
                  ? window.next - 1
                  : event === 'part'
                    ? window.base + Math.floor((window.next - 1 - window.base) / 2)
                    : event === 'again'
                      ? window.base - 1
                      : event;
              meaning = acknowledge(window, block & 0xffff);
            }
            expect(window.base).toBeGreaterThanOrEqual(before);
            expect(window.base - before).toBeLessThanOrEqual(size);
            if (meaning === 'done') {
              expect(window.base).toBe(window.last + 1);
              return;
            }
            expect(window.base).toBeLessThanOrEqual(window.last);
            if (event === 'timer' || meaning === 'send') expect(blocksToSend(window)).toBeGreaterThan(0);
            window.next += blocksToSend(window);
            expect(window.next - window.base).toBeLessThanOrEqual(size);
            expect(window.next).toBeLessThanOrEqual(window.last + 1);
          }
        },
      ),
    );
  });
});
