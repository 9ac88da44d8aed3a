import { createSocket } from 'node:dgram';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTftp } from './client.ts';
import { type ReadReport, startTftpServer, type TftpServer } from './server.ts';

/** Seeds of earlier runs stay: what once made trouble is tried for ever. */
const SEEDS = [1350, 2347, 7440, 20_231_122];

const file = Buffer.alloc(3000, 'boot');
let server: TftpServer;
let reports: ReadReport[];
beforeEach(async () => {
  reports = [];
  server = await startTftpServer({
    address: '127.0.0.1',
    port: 0,
    open: (name) =>
      name === 'boot' ? { size: file.length, read: (offset, length) => file.subarray(offset, offset + length) } : null,
    onDone: (report) => reports.push(report),
    limits: { tries: 1, transfers: 64, transfersPerAddress: 64 },
  });
});
afterEach(() => server.close());

/** A well-formed request, and what a fuzzer makes of one. */
const request = fc.tuple(
  fc.constantFrom(1, 2),
  fc.constantFrom('boot', '', '../../etc/shadow', 'a'.repeat(600)),
  fc.constantFrom('octet', 'netascii', 'OCTET', ''),
  fc.array(
    fc.tuple(
      fc.constantFrom('blksize', 'windowsize', 'tsize', 'timeout', 'multicast', '', '__proto__'),
      fc.constantFrom('0', '1', '65535', '65536', '99999999999', '-1', '1e9', 'NaN', '', '\xff'),
    ),
    { maxLength: 20 },
  ),
);
const packets = fc.oneof(
  request.map(([opcode, name, mode, options]) =>
    Buffer.from(`\0${String.fromCharCode(opcode)}${[name, mode, ...options.flat()].join('\0')}\0`, 'latin1'),
  ),
  fc.uint8Array({ maxLength: 1400 }).map((bytes) => Buffer.from(bytes)),
  // Right opcode, anything behind it, and long beyond every limit.
  fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0, 600, 9000))
    .map(([opcode, bytes, padding]) => Buffer.concat([Buffer.from([0, opcode]), bytes, Buffer.alloc(padding, 'x')])),
);

describe('malformed TFTP', () => {
  /**
   * @fault Malformed, oversized or hostile TFTP packets reach the rack.
   * @sees Nothing, or a TFTP error on the sender's side; other machines boot on.
   * @ends What is no request is dropped, a hopeless one refused; the server goes on and keeps nothing of it.
   */
  it.each(SEEDS)(
    'never stops the server (seed %i)',
    async (seed) => {
      const hostile = createSocket('udp4');
      await new Promise<void>((resolve) => hostile.bind(0, '127.0.0.1', resolve));
      const sample = fc.sample(packets, { seed, numRuns: 300 });
      for (const [i, packet] of sample.entries()) {
        await new Promise<void>((resolve) => hostile.send(packet, server.port, '127.0.0.1', () => resolve()));
        if (i % 100 === 50) {
          const end = await readTftp({ address: '127.0.0.1', port: server.port, name: 'boot', windowSize: 4 });
          expect(end).toMatchObject({ outcome: 'received', bytes: file.length });
        }
      }
      hostile.close();
      // The fuzzer may have asked for the real file, and is given up like any silent client.
      await expect.poll(() => server.active(), { timeout: 5000 }).toBe(0);
      for (const report of reports) expect(report.bytes).toBeLessThanOrEqual(file.length);
    },
    20_000,
  );

  it('on a transfer’s own port disturbs nobody', async () => {
    const port = server.port;
    const stranger = createSocket('udp4');
    const relay = createSocket('udp4');
    await new Promise<void>((resolve) => relay.bind(0, '127.0.0.1', resolve));
    const ack = (block: number) => Buffer.from([0, 4, block >> 8, block & 255]);
    const blocks: number[] = [];
    const done = new Promise<void>((resolve) => {
      relay.on('message', (bytes, from) => {
        if (bytes[1] !== 3) return;
        const block = bytes.readUInt16BE(2);
        blocks.push(block);
        // Between any two packets of ours, junk from a stranger and from our own port.
        for (const junk of fc.sample(packets, { seed: block, numRuns: 5 })) {
          stranger.send(junk, from.port, '127.0.0.1');
          if (junk[1] !== 5 && junk[1] !== 4) relay.send(junk, from.port, '127.0.0.1');
        }
        relay.send(ack(block), from.port, '127.0.0.1', () => {
          if (bytes.length < 516) resolve();
        });
      });
    });
    relay.send(Buffer.from('\0\x01boot\0octet\0', 'latin1'), port, '127.0.0.1');
    await done;
    await expect.poll(() => reports).toMatchObject([{ outcome: 'sent', bytes: 3000 }]);
    expect(blocks).toEqual([1, 2, 3, 4, 5, 6]);
    stranger.close();
    relay.close();
  });

  /**
   * @fault A TFTP server answers a client with more than was asked: larger blocks or windows, a longer file.
   * @sees The read fails and says what was wrong.
   * @ends The client sends the error of RFC 2347 and keeps no more than its limit.
   */
  it('from a server ends the client’s read with a reason', async () => {
    const small = { address: '127.0.0.1', port: server.port, name: 'boot', blockSize: 512 };
    expect(await readTftp({ ...small, sizeLimit: 1000 })).toMatchObject({
      outcome: 'failed',
      message: 'the file is longer than 1000 bytes',
    });
    const liar = createSocket('udp4');
    await new Promise<void>((resolve) => liar.bind(0, '127.0.0.1', resolve));
    let offer = 'blksize\x001024\0';
    liar.on('message', (bytes, from) => {
      if (bytes[1] === 1) liar.send(Buffer.from(`\0\x06${offer}`, 'latin1'), from.port, from.address);
    });
    const lied = { ...small, port: liar.address().port, timeoutMs: 200 };
    const refused = { outcome: 'failed', message: 'the server granted what was not asked' };
    expect(await readTftp(lied)).toMatchObject(refused);
    offer = 'windowsize\x004\0';
    expect(await readTftp({ ...lied, windowSize: 2 })).toMatchObject(refused);
    liar.close();
    expect(await readTftp({ ...lied, tries: 2 })).toMatchObject({ outcome: 'timeout', timeouts: 2 });
  });
});
