import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOption, type DhcpPacket, decodeDhcp, discoverOf, encodeDhcp, messageTypeOf, OPTION } from './packet.ts';

const mac = '52:54:00:12:34:56';
const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.'));
const text = (most: number) => fc.string({ unit: fc.constantFrom('a', 'Z', '/', ':', '.', '9'), maxLength: most });
const packets = fc.record<DhcpPacket>({
  op: fc.constantFrom('request', 'reply'),
  xid: fc.nat(0xffffffff),
  secs: fc.nat(0xffff),
  broadcast: fc.boolean(),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: fc.constantFrom(mac, '02:00:00:00:00:aa'),
  sname: text(63),
  file: text(127),
  options: fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 254 }).filter((code) => code !== OPTION.overload),
        fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      ),
      { maxLength: 8 },
    )
    .map((entries) => new Map(entries)),
});

describe('a packet', () => {
  it('is read back as it was written, long options too', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        expect(decodeDhcp(encodeDhcp(packet))).toEqual(packet);
      }),
    );
  });

  it('has the fields where RFC 2131 puts them', () => {
    const bytes = encodeDhcp({ ...discoverOf(mac, 0x01020304), file: 'f', siaddr: '10.0.0.1' });
    expect(bytes.length).toBe(300);
    expect(bytes.subarray(0, 8).toString('hex')).toBe('0101060001020304');
    expect(bytes.subarray(10, 12).toString('hex')).toBe('8000');
    expect(bytes.subarray(20, 24).toString('hex')).toBe('0a000001');
    expect(bytes.subarray(28, 34).toString('hex')).toBe('525400123456');
    expect(bytes.subarray(108, 110).toString('hex')).toBe('6600');
    expect(bytes.subarray(236, 244).toString('hex')).toBe('63825363350101ff');
  });

  it('may keep options in file and sname (overload)', () => {
    const bytes = encodeDhcp({ ...discoverOf(mac, 7, [[OPTION.overload, Buffer.from([3])]]), file: '', sname: '' });
    bytes.set([OPTION.serverId, 4, 10, 0, 0, 9, 255], 108);
    bytes.set([OPTION.vendorClass, 2, 0x50, 0x58, 255], 44);
    const packet = decodeDhcp(bytes);
    expect(packet && addressOption(packet, OPTION.serverId)).toBe('10.0.0.9');
    expect(packet).toMatchObject({ file: '', sname: '' });
    expect(packet?.options.get(OPTION.vendorClass)?.toString()).toBe('PX');
  });
});

describe('what is no packet', () => {
  const good = encodeDhcp(discoverOf(mac, 1));
  const with_ = (at: number, ...bytes: number[]) => {
    const copy = Buffer.from(good);
    copy.set(bytes, at);
    return copy;
  };
  it.each([
    ['too short', good.subarray(0, 239)],
    ['longer than any frame', Buffer.concat([good, Buffer.alloc(10_000)])],
    ['neither request nor reply', with_(0, 3)],
    ['not Ethernet', with_(1, 6)],
    ['an address of 16 bytes', with_(2, 16)],
    ['BOOTP without the cookie', with_(236, 0)],
    ['an option longer than the packet', with_(240, 60, 255)],
    ['an option without a length', Buffer.concat([good.subarray(0, 240), Buffer.from([60])])],
  ])('%s', (_, bytes) => {
    expect(decodeDhcp(bytes)).toBeNull();
  });

  it('noise gives a packet or nothing, and never throws; what is read can be written', () => {
    const noise = fc.uint8Array({ minLength: 4, maxLength: 700 }).map((tail) => {
      const bytes = Buffer.concat([good.subarray(0, 240), Buffer.from(tail)]);
      bytes.set(tail.slice(0, 4), 8);
      return bytes;
    });
    fc.assert(
      fc.property(noise, (bytes) => {
        const packet = decodeDhcp(bytes);
        if (packet === null) return;
        expect(decodeDhcp(encodeDhcp({ ...packet, sname: '', file: '' }))?.xid).toBe(packet.xid);
        expect(messageTypeOf(packet)).not.toBeUndefined();
      }),
      { seed: 20260312, numRuns: 500 },
    );
  });

  it('a file that does not fit is the programmer’s fault', () => {
    expect(() => encodeDhcp({ ...discoverOf(mac, 1), file: 'x'.repeat(128) })).toThrow(RangeError);
  });
});
