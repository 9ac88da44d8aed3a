import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { negotiate } from './negotiate.ts';
import { decodePacket, encodePacket, type Packet } from './packet.ts';

const text = fc.stringMatching(/^[\x21-\x7e]{1,40}$/);
const lowerText = fc.stringMatching(/^[a-z]{1,12}$/);
const uint16 = fc.integer({ min: 0, max: 65535 });
const options = fc.dictionary(lowerText, text, { maxKeys: 6, noNullPrototype: true });

const packets: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({ kind: fc.constantFrom('rrq' as const, 'wrq' as const), name: text, mode: lowerText, options }),
  fc.record({
    kind: fc.constant('data' as const),
    block: uint16,
    data: fc.uint8Array({ maxLength: 1468 }).map(Buffer.from),
  }),
  fc.record({ kind: fc.constant('ack' as const), block: uint16 }),
  fc.record({ kind: fc.constant('error' as const), code: uint16, message: text }),
  fc.record({ kind: fc.constant('oack' as const), options }),
);

describe('TFTP packets', () => {
  it('come back from the wire as they went in', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const wire = encodePacket(packet);
        // A request may not exceed 512 octets (RFC 2347); longer ones are dropped on purpose.
        if ((packet.kind === 'rrq' || packet.kind === 'wrq') && wire.length > 512)
          expect(decodePacket(wire)).toBeNull();
        else expect(decodePacket(wire)).toEqual(packet);
      }),
    );
  });

  it('never throw on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
        decodePacket(Buffer.from(bytes));
      }),
    );
  });

  it('read the request of a UEFI boot ROM', () => {
    // OVMF asks: tsize, blksize and windowsize, with names in lower case and mode "octet".
    const wire = Buffer.from('\x00\x01ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0', 'latin1');
    const request = decodePacket(wire);
    expect(request).toEqual({
      kind: 'rrq',
      name: 'ipxe.efi',
      mode: 'octet',
      options: { tsize: '0', blksize: '1468', windowsize: '4' },
    });
    expect(request?.kind === 'rrq' && negotiate(request.options, 1000).granted).toEqual({
      tsize: '1000',
      blksize: '1468',
      windowsize: '4',
    });
  });
});

describe('negotiation', () => {
  it('grants only what was asked and never a larger block', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('blksize', 'timeout', 'tsize', 'windowsize', 'odd'),
          fc.oneof(text, fc.nat(99_999).map(String)),
        ),
        fc.nat(),
        (asked, size) => {
          const terms = negotiate(asked, size);
          for (const name of Object.keys(terms.granted)) expect(asked).toHaveProperty(name);
          if (terms.granted.blksize) expect(terms.blockSize).toBeLessThanOrEqual(Number(asked.blksize));
          expect(terms.blockSize).toBeGreaterThanOrEqual(8);
          expect(terms.blockSize).toBeLessThanOrEqual(1468);
          if (terms.granted.windowsize) expect(terms.windowSize).toBeLessThanOrEqual(Number(asked.windowsize));
          else expect(terms.windowSize).toBe(1);
          expect(terms.windowSize).toBeGreaterThanOrEqual(1);
          expect(terms.windowSize).toBeLessThanOrEqual(64);
        },
      ),
    );
  });

  it('leaves out a window that RFC 7440 does not allow, and bounds the octets on their way', () => {
    for (const windowsize of ['0', '65536', '-1', '4.5', ' 4']) {
      expect(negotiate({ windowsize }, 1)).toMatchObject({ windowSize: 1, granted: {} });
    }
    expect(negotiate({ windowsize: '65535' }, 1).granted).toEqual({ windowsize: '64' });
    expect(negotiate({ windowsize: '16', blksize: '8192' }, 1, 8192).windowSize).toBe(16);
    expect(negotiate({ windowsize: '64', blksize: '65464' }, 1, 65464).windowSize).toBe(2);
  });

  it('leaves out a block size that RFC 2348 does not allow', () => {
    for (const blksize of ['7', '65465', '-1', '1e3', '']) expect(negotiate({ blksize }, 1).granted).toEqual({});
  });
});
