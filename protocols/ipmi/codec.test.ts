import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBmcAddress } from './address.ts';
import { decodeFrame, encodePlain, encodeSession, encodeSetup, openSealed } from './frame.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './message.ts';
import { CIPHER_SUITES } from './suite.ts';

const bytes = fc.uint8Array({ maxLength: 200 }).map(Buffer.from);
const keys = { sik: randomBytes(20), k1: randomBytes(20), aes: randomBytes(16) };

describe('IPMI packets', () => {
  it('encode the question for the channel capabilities as a capture shows it', () => {
    const message = encodeRequest({ netFn: 6, command: 0x38, sequence: 0, data: Buffer.from([0x8e, 0x04]) });
    expect(encodePlain(message).toString('hex')).toBe('0600ff070000000000000000000920' + '18c88100388e04b5');
  });

  it('bring requests and replies over unchanged, and notice a flipped bit', () => {
    const head = { netFn: fc.integer({ min: 0, max: 62 }), command: fc.nat(255), sequence: fc.nat(63), data: bytes };
    fc.assert(
      fc.property(fc.record(head), fc.nat(255), fc.nat(10_000), (message, completion, where) => {
        expect(decodeRequest(encodeRequest(message))).toEqual(message);
        const reply = encodeReply({ ...message, completion });
        expect(decodeReply(reply)).toEqual({ ...message, completion });
        reply[where % reply.length] = (reply[where % reply.length] ?? 0) ^ 0x10;
        expect(decodeReply(reply)).toBeNull();
      }),
    );
  });

  it.each(CIPHER_SUITES)('seal and open with suite $id, and refuse any altered byte', (suite) => {
    fc.assert(
      fc.property(bytes, fc.nat(0xffff_ffff), fc.nat(10_000), (message, sessionId, where) => {
        const packet = encodeSession(suite, keys, sessionId, 7, message);
        const frame = decodeFrame(packet);
        if (frame?.kind !== 'session') throw new Error('not a session frame');
        expect(frame).toMatchObject({ sessionId, sequence: 7 });
        expect(openSealed(suite, keys, frame.sealed)).toEqual(message);
        expect((packet.length - 4 - suite.integrityLength) % 4).toBe(0);
        const altered = Buffer.from(frame.sealed);
        // Not the length field: that makes the packet another packet.
        const at = 12 + (where % (altered.length - 12));
        altered[at] = (altered[at] ?? 0) ^ 1;
        expect(openSealed(suite, keys, altered)).toBeNull();
      }),
      { numRuns: 50 },
    );
  });

  it('never throw on arbitrary bytes', () => {
    fc.assert(
      fc.property(bytes, (noise) => {
        decodeFrame(noise);
        decodeFrame(Buffer.concat([Buffer.from([6, 0, 0xff, 7, 6]), noise]));
        decodeFrame(encodeSetup(0x11, noise));
        decodeReply(noise);
      }),
    );
  });
});

describe('BMC addresses', () => {
  it.each([
    ['10.0.0.5', '10.0.0.5', 623],
    ['10.0.0.5:9001', '10.0.0.5', 9001],
    ['bmc-3.example:624', 'bmc-3.example', 624],
    ['fe80::1', 'fe80::1', 623],
    ['[fe80::1]:9001', 'fe80::1', 9001],
  ])('%s', (text, host, port) => {
    expect(parseBmcAddress(text)).toEqual({ host, port });
  });
  it.each(['', '10.0.0.5:0', '10.0.0.5:70000', 'two words', 'http://bmc/', '[fe80::1'])('refuses %j', (text) => {
    expect(parseBmcAddress(text)).toBeNull();
  });
});
