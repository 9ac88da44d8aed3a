import { describe, expect, it } from 'vitest';
import { decodeDhcp, discoverOf, encodeDhcp, MESSAGE, messageTypeOf, OPTION } from './packet.ts';
import { networkBootOf, proxyReply } from './proxy.ts';

const mac = '52:54:00:12:34:56';
const offer = { server: '10.0.0.1', file: 'undionly.kpxe' };
const arch = (code: number) => [OPTION.clientArch, Buffer.from([code >> 8, code & 255])] as const;
const vendor = (text: string) => [OPTION.vendorClass, Buffer.from(text)] as const;
const user = (text: string) => [OPTION.userClass, Buffer.from(text, 'latin1')] as const;
const uuid = Buffer.from('00112233445566778899aabbccddeeff11', 'hex');
const bios = discoverOf(mac, 9, [vendor('PXEClient:Arch:00000:UNDI:002001'), arch(0), [OPTION.clientUuid, uuid]]);
const typed = (type: number) => ({
  ...bios,
  options: new Map([...bios.options, [OPTION.messageType, Buffer.from([type])] as const]),
});

describe('who boots from the network', () => {
  it.each([
    ['PXE ROM', [vendor('PXEClient:Arch:00000'), arch(0)], { kind: 'pxe', arch: 0 }],
    ['UEFI', [vendor('PXEClient:Arch:00007'), arch(7)], { kind: 'pxe', arch: 7 }],
    ['UEFI HTTP', [vendor('HTTPClient:Arch:00016'), arch(16)], { kind: 'http', arch: 16 }],
    ['iPXE', [vendor('PXEClient:Arch:00007'), arch(7), user('iPXE')], { kind: 'ipxe', arch: 7 }],
    ['iPXE behind a length', [vendor('PXEClient'), user('\u0004iPXE')], { kind: 'ipxe', arch: 0 }],
    ['an operating system', [vendor('MSFT 5.0')], null],
    ['nobody in particular', [], null],
  ] as const)('%s', (_, options, expected) => {
    expect(networkBootOf(discoverOf(mac, 1, options))).toEqual(expected);
  });
});

describe('the answer', () => {
  it('to a DISCOVER is an offer without an address, with the file and the hint to take it', () => {
    const reply = proxyReply(bios, 67, offer);
    const seen = reply && decodeDhcp(encodeDhcp(reply));
    expect(seen).toMatchObject({ op: 'reply', xid: 9, yiaddr: '0.0.0.0', siaddr: '10.0.0.1', file: 'undionly.kpxe' });
    expect(seen && messageTypeOf(seen)).toBe(MESSAGE.offer);
    expect(seen?.options.get(OPTION.vendorClass)?.toString()).toBe('PXEClient');
    expect(seen?.options.get(OPTION.vendorSpecific)?.toString('hex')).toBe('060108ff');
    expect(seen?.options.get(OPTION.clientUuid)).toEqual(uuid);
    expect(seen?.options.get(OPTION.serverId)?.toString('hex')).toBe('0a000001');
  });

  it('to UEFI HTTP is of its own class and has no PXE options', () => {
    const http = discoverOf(mac, 9, [vendor('HTTPClient:Arch:00016'), arch(16)]);
    const reply = proxyReply(http, 67, { server: '10.0.0.1', file: 'http://10.0.0.1:5248/snponly.efi' });
    expect(reply?.options.get(OPTION.vendorClass)?.toString()).toBe('HTTPClient');
    expect(reply?.options.has(OPTION.vendorSpecific)).toBe(false);
  });

  it('on port 4011 acknowledges REQUEST and INFORM, unless another server is named', () => {
    for (const type of [MESSAGE.request, MESSAGE.inform]) {
      const reply = proxyReply(typed(type), 4011, offer);
      expect(reply && messageTypeOf(reply)).toBe(MESSAGE.ack);
    }
    const other = { ...typed(MESSAGE.request) };
    const named = new Map([...other.options, [OPTION.serverId, Buffer.from([10, 0, 0, 2])] as const]);
    expect(proxyReply({ ...other, options: named }, 4011, offer)).toBeNull();
  });

  it('is none to what a proxy has no part in', () => {
    expect(proxyReply(discoverOf(mac, 1), 67, offer)).toBeNull();
    expect(proxyReply(typed(MESSAGE.request), 67, offer)).toBeNull();
    expect(proxyReply(bios, 4011, offer)).toBeNull();
    expect(proxyReply({ ...bios, op: 'reply' }, 67, offer)).toBeNull();
    expect(proxyReply({ ...bios, giaddr: '10.5.0.1' }, 67, offer)).toBeNull();
  });
});
