import { describe, expect, it } from 'vitest';
import { parseNeighbours } from '../network/neighbours.ts';
import { proxyFileOf } from './boot-program.ts';
import { probeMac } from './foreign.ts';
import { keaGroups } from './kea-groups.ts';
import { parsePoolCounters, poolStates } from './pools.ts';
import { createDhcpNews } from './report.ts';

const sample = (value: number) => [[value, '2026-01-01 00:00:00.000000']];
// As Kea 2.2.0 answers statistic-get-all.
const statistics = {
  'pkt4-received': sample(9),
  'subnet[4].total-addresses': sample(11),
  'subnet[4].assigned-addresses': sample(3),
  'subnet[4].v4-allocation-fail': sample(2),
  'subnet[4].v4-allocation-fail-subnet': sample(2),
  'subnet[5].total-addresses': sample(7),
};

describe("Kea's counters", () => {
  it('are read by subnet', () => {
    expect(parsePoolCounters(statistics)).toEqual([
      { subnetId: 4, addresses: 11, given: 3, failures: 2 },
      { subnetId: 5, addresses: 7, given: 0, failures: 0 },
    ]);
    for (const nonsense of [null, 'x', { 'subnet[4].total-addresses': [] }]) {
      expect(parsePoolCounters(nonsense)).toEqual([]);
    }
  });

  it('tell what is new, also after Kea began to count anew', () => {
    const counted = (failures: number) => [{ subnetId: 4, addresses: 2, given: 2, failures }];
    const refused = (before: number | null, now: number) =>
      poolStates(before === null ? null : counted(before), counted(now))[0]?.refused;
    // What a Kea had counted before we first looked was told by the rack of that time.
    expect([refused(null, 5), refused(5, 5), refused(5, 8), refused(8, 1)]).toEqual([0, 0, 3, 1]);
    expect(poolStates([], counted(3))[0]?.refused).toBe(3);
  });
});

describe('news for the region', () => {
  it('wait while it is away, add up, and are told once', () => {
    const news = createDhcpNews();
    const told: unknown[] = [];
    const tell = (ok: boolean) =>
      news.tell((message) => {
        if (ok) told.push(message);
        return ok;
      });
    tell(true);
    news.foreign(1, [{ address: '10.0.0.9', mac: '02:00:00:00:00:09' }]);
    news.pools([{ subnetId: 4, addresses: 2, given: 2, refused: 1 }]);
    tell(false);
    news.pools([{ subnetId: 4, addresses: 2, given: 2, refused: 2 }]);
    tell(true);
    tell(true);
    news.pools([{ subnetId: 4, addresses: 2, given: 2, refused: 0 }]);
    tell(true);
    const foreign = [{ vlanId: 1, servers: [{ address: '10.0.0.9', mac: '02:00:00:00:00:09' }] }];
    expect(told).toEqual([{ type: 'dhcp', foreign, pools: [{ subnetId: 4, addresses: 2, given: 2, refused: 3 }] }]);
    news.repeat();
    tell(true);
    expect(told[1]).toEqual({ type: 'dhcp', foreign, pools: [{ subnetId: 4, addresses: 2, given: 2, refused: 0 }] });
    expect([news.servers(), news.refused()]).toEqual([1, 3]);
  });
});

describe('who is behind an address', () => {
  it('is read from complete entries of the neighbour table', () => {
    const table = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.5         0x1         0x2         52:54:00:AA:00:01     *        eth1
10.0.0.6         0x1         0x0         00:00:00:00:00:00     *        eth1
10.0.0.7         0x20        0x2         80:00:00:00:00:01     *        ib0
`;
    expect(parseNeighbours(table)).toEqual([{ ip: '10.0.0.5', mac: '52:54:00:aa:00:01', interface: 'eth1' }]);
  });
});

describe('what the proxy names', () => {
  const file = (kind: 'ipxe' | 'pxe' | 'http', arch: number) =>
    proxyFileOf({ kind, arch }, 'http://10.0.0.1:5248', 'aa');
  it('fits the client, and is nothing for an architecture that is not served', () => {
    expect(file('pxe', 0)).toBe('undionly.kpxe');
    expect([file('pxe', 7), file('pxe', 9)]).toEqual(['snponly.efi', 'snponly.efi']);
    expect(file('http', 16)).toBe('http://10.0.0.1:5248/snponly.efi');
    expect(file('ipxe', 7)).toBe('http://10.0.0.1:5248/boot.ipxe?mac=aa');
    expect([file('pxe', 11), file('http', 19)]).toEqual([null, null]);
  });
  it('is shim where the chain is signed, and nothing for HTTP boot, which its GRUB cannot go on with', () => {
    const signed = (kind: 'pxe' | 'http', arch: number) =>
      proxyFileOf({ kind, arch }, 'http://10.0.0.1:5248', 'aa', 'signed');
    expect([signed('pxe', 0), signed('pxe', 7), signed('http', 16)]).toEqual(['undionly.kpxe', 'shimx64.efi', null]);
  });
  it('our probe asks as one and the same made-up card', () => {
    expect(probeMac('52:54:00:12:34:56')).toBe('02:49:4e:12:34:56');
  });
});

describe('which Kea serves what', () => {
  const subnet = { gateway: null, dnsServers: [], pools: [], reservations: [] };
  const vlan = (id: number, more: object) => ({
    id,
    vid: 0,
    name: '',
    mtu: 1500,
    dhcp: 'on' as const,
    subnets: [{ ...subnet, id, cidr: `10.0.${id}.0/24` }],
    ...more,
  });
  const host = (id: number) => ({ interface: `eth${id}`, mac: '', address: `10.0.${id}.1`, cidr: `10.0.${id}.1/24` });
  const peers = (['primary', 'standby'] as const).map((role, index) => ({
    rack: `r${index + 1}`,
    role,
    address: `10.0.3.${index + 1}`,
    certificate: '',
  }));
  const vlans = [
    vlan(1, { racks: ['r1'] }),
    vlan(2, { racks: ['r2', 'r1'] }),
    vlan(3, { racks: ['r1', 'r2'], peers }),
    vlan(4, { racks: ['r2'] }),
    vlan(5, { dhcp: 'relay' as const, relayVlan: 3 }),
    vlan(6, {}),
  ];
  it('each pair has its own; a second rack without the agreement, and one that is not named, keep silent', () => {
    const groups = keaGroups(vlans, 'r1', [1, 2, 3, 4, 6].map(host));
    const shown = groups.map(({ name, vlans: served, relayed }) => [
      name.replace(/[0-9a-f]{8}$/, 'SUM'),
      served.map((one) => one.vlan.id),
      relayed.map(({ id }) => id),
    ]);
    expect(shown).toEqual([
      ['kea', [1, 6], []],
      ['kea-SUM', [3], [5]],
    ]);
  });
});
