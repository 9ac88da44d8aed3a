import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, formatIpv4, freeSpans, networkOf, parseCidr, parseIpv4 } from './address.ts';
import { networkConfig } from './network-config.ts';

const anyAddress = fc.integer({ min: 0, max: 2 ** 32 - 1 });

function network(cidr: string) {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new Error(cidr);
  return parsed;
}

describe('IPv4 arithmetic', () => {
  test('text and number are the same thing', () => {
    fc.assert(fc.property(anyAddress, (address) => parseIpv4(formatIpv4(address)) === address));
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', '-1.0.0.0'])(
    '%j is none',
    (text) => {
      expect(parseIpv4(text)).toBeNull();
    },
  );

  test.each(['10.0.0.1/24', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0', '10.0.0.0/024'])('%j is no network', (text) => {
    expect(parseCidr(text)).toBeNull();
  });

  test('every address lies in the network made from it', () => {
    fc.assert(
      fc.property(anyAddress, fc.integer({ min: 1, max: 32 }), (address, prefix) => {
        expect(contains(networkOf(address, prefix), address)).toBe(true);
      }),
    );
  });

  test('what is free is neither taken nor network nor broadcast address', () => {
    const span = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40 }));
    fc.assert(
      fc.property(fc.array(span, { maxLength: 12 }), (spans) => {
        const net = network('10.0.0.0/24');
        const taken = spans.map(([start, length]) => ({ start: net.base + start, end: net.base + start + length }));
        const isTaken = (address: number) => taken.some(({ start, end }) => address >= start && address <= end);
        const free = new Set<number>();
        for (const { start, end } of freeSpans(net, taken)) for (let a = start; a <= end; a += 1) free.add(a);
        for (let address = net.base; address <= net.last; address += 1) {
          const usable = address !== net.base && address !== net.last && !isTaken(address);
          expect(free.has(address)).toBe(usable);
        }
      }),
    );
  });
});

describe('network configuration', () => {
  const port = { id: 1, name: 'ens3', mac: '52:54:00:AA:00:01', enabled: true, mtu: 1500, connected: true };
  const subnet = { id: 9, cidr: '10.0.0.0/24', gateway: '10.0.0.1', dnsServers: ['10.0.0.2'] };
  const link = { interfaceId: 1, mode: 'auto' as const, subnetId: 9, address: '10.0.0.5' };

  test('an assigned address, matched by MAC, with route and resolver', () => {
    expect(networkConfig([port], [link], [subnet], { search: ['maas'] })).toEqual({
      version: 2,
      ethernets: {
        ens3: {
          match: { macaddress: '52:54:00:aa:00:01' },
          'set-name': 'ens3',
          mtu: 1500,
          addresses: ['10.0.0.5/24'],
          routes: [{ to: '0.0.0.0/0', via: '10.0.0.1' }],
          nameservers: { addresses: ['10.0.0.2'], search: ['maas'] },
        },
      },
    });
  });

  test('one default route only, on the chosen interface', () => {
    const second = { ...port, id: 2, name: 'ens4', mac: '52:54:00:aa:00:02' };
    const other = { id: 8, cidr: '10.1.0.0/24', gateway: '10.1.0.1', dnsServers: [] };
    const links = [link, { ...link, interfaceId: 2, subnetId: 8, address: '10.1.0.5' }];
    const config = networkConfig([port, second], links, [subnet, other], { gatewayInterfaceId: 2 });
    expect(config.ethernets.ens3?.routes).toBeUndefined();
    expect(config.ethernets.ens4?.routes).toEqual([{ to: '0.0.0.0/0', via: '10.1.0.1' }]);
  });

  test('no address: DHCP; link_up: none; disabled: left out; without VLAN: optional', () => {
    const ask = networkConfig([port], [{ ...link, address: null }], [subnet]).ethernets.ens3;
    expect(ask?.dhcp4).toBe(true);
    const up = networkConfig([{ ...port, connected: false }], [{ ...link, mode: 'link_up' }], [subnet]).ethernets.ens3;
    expect(up).toEqual({ match: { macaddress: '52:54:00:aa:00:01' }, 'set-name': 'ens3', mtu: 1500, optional: true });
    expect(networkConfig([{ ...port, enabled: false }], [link], [subnet]).ethernets).toEqual({});
  });

  test('an address outside of its subnet is not written', () => {
    expect(
      networkConfig([port], [{ ...link, address: '10.9.0.5' }], [subnet]).ethernets.ens3?.addresses,
    ).toBeUndefined();
  });
});
