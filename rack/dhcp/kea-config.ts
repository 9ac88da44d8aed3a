import type { SnapshotSubnet, SnapshotVlan, UefiBootChain } from '@ingot/contract/rack.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { ARCHS_OF, programsOf } from './boot-program.ts';
import type { KeaGroup } from './kea-groups.ts';
import type { KeaPairHook } from './kea-pair.ts';
import { PROBE_PREFIX } from './probe.ts';

/** The part of Kea 2.2's Dhcp4 configuration that we write (Kea ARM, chapter 8). */
export interface KeaConfig {
  Dhcp4: {
    'interfaces-config': { interfaces: string[]; 'dhcp-socket-type': 'raw' };
    'control-socket': { 'socket-type': 'unix'; 'socket-name': string };
    'lease-database': { type: 'memfile'; persist: true; name: string; 'lfc-interval': number };
    'hooks-libraries': ({ library: string } | KeaPairHook)[];
    /** The hook for a second rack needs it. */
    'multi-threading': { 'enable-multi-threading': boolean };
    loggers: KeaLogger[];
    authoritative: true;
    /** One machine asks as firmware, as iPXE and as Linux, each with another client id: its MAC names it. */
    'match-client-id': false;
    'host-reservation-identifiers': ['hw-address'];
    'reservations-in-subnet': true;
    'reservations-out-of-pool': false;
    'valid-lifetime': number;
    'option-def': KeaOptionDefinition[];
    'client-classes': KeaClass[];
    'shared-networks': KeaSharedNetwork[];
  };
}
interface KeaLogger {
  name: string;
  severity: 'WARN' | 'INFO' | 'ERROR';
  output_options: { output: 'stdout'; pattern: string }[];
}
interface KeaOptionDefinition {
  name: string;
  code: number;
  type: 'empty' | 'uint8';
  encapsulate?: string;
  space?: string;
}
export interface KeaOption {
  name: string;
  data?: string;
  space?: string;
  'always-send'?: boolean;
}
export interface KeaClass {
  name: string;
  test: string;
  'boot-file-name'?: string;
  'next-server'?: string;
  'option-data'?: KeaOption[];
}
interface KeaSharedNetwork {
  name: string;
  /** Missing: its requests come through a relay. */
  interface?: string;
  subnet4: KeaSubnet[];
}
interface KeaSubnet {
  id: number;
  subnet: string;
  pools: { pool: string }[];
  'option-data': KeaOption[];
  reservations: { 'hw-address': string; 'ip-address': string; hostname?: string }[];
}

export interface KeaPaths {
  controlSocket: string;
  leaseFile: string;
  /** Path of libdhcp_lease_cmds.so, or null where it is not installed: then leases are known from the file alone. */
  leaseHook: string | null;
}

/**
 * Seconds. The ephemeral system keeps the address its initramfs got and does not renew, so a lease must outlive a
 * commissioning run.
 */
const LEASE_SECONDS = 3600;

/**
 * Pure. The VLANs that this Kea gives addresses in, and those that are relayed to one of them: a relayed request is told by
 * the relay's address (giaddr), which lies in its subnet, so those have no interface. `pair` = the hook for a second rack.
 */
export function renderKeaConfig(
  group: Pick<KeaGroup, 'vlans' | 'relayed'> & Partial<Pick<KeaGroup, 'chain'>>,
  paths: KeaPaths,
  bootPort: number,
  pair: KeaPairHook | null = null,
): KeaConfig {
  const chain = group.chain ?? 'ipxe';
  const served = new Map<string, HostAddress>();
  for (const { host } of group.vlans) if (!served.has(host.interface)) served.set(host.interface, host);
  const networks: KeaSharedNetwork[] = [
    ...group.vlans.map(({ vlan, host }) => ({ ...networkOf(vlan), interface: host.interface })),
    ...group.relayed.map(networkOf),
  ];
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: [...served.keys()], 'dhcp-socket-type': 'raw' },
      'control-socket': { 'socket-type': 'unix', 'socket-name': paths.controlSocket },
      'lease-database': { type: 'memfile', persist: true, name: paths.leaseFile, 'lfc-interval': 3600 },
      'hooks-libraries': [
        ...(paths.leaseHook === null ? [] : [{ library: paths.leaseHook }]),
        ...(pair === null ? [] : [pair]),
      ],
      'multi-threading': { 'enable-multi-threading': pair !== null },
      loggers: [
        {
          name: 'kea-dhcp4',
          severity: 'WARN',
          output_options: [{ output: 'stdout', pattern: '%-5p %m\n' }],
        },
      ],
      authoritative: true,
      'match-client-id': false,
      'host-reservation-identifiers': ['hw-address'],
      'reservations-in-subnet': true,
      'reservations-out-of-pool': false,
      'valid-lifetime': LEASE_SECONDS,
      'option-def': [
        { name: 'ipxe-encap', code: 175, type: 'empty', encapsulate: 'ipxe' },
        { name: 'no-pxedhcp', code: 176, type: 'uint8', space: 'ipxe' },
      ],
      'client-classes': [DROP_PROBES, ...[...served.values()].flatMap((host) => bootClasses(host, bootPort, chain))],
      'shared-networks': networks,
    },
  };
}

/**
 * Our own probes are counted as heard and not answered: else a probe that meets a full range would look like a machine that
 * went without, and each rack would report the other as a foreign server. DROP is a name that Kea knows.
 */
const DROP_PROBES: KeaClass = {
  name: 'DROP',
  test: `substring(pkt4.mac,0,3) == 0x${Buffer.from(PROBE_PREFIX).toString('hex')}`,
};

/** What a machine is to boot, by how it asks. One set for each interface, as the answer names the rack's address there. */
function bootClasses(host: HostAddress, bootPort: number, chain: UefiBootChain): KeaClass[] {
  const programs = programsOf(chain);
  const boot = `http://${host.address}:${bootPort}`;
  const here = `pkt.iface == '${host.interface}'`;
  const isIpxe = "substring(option[77].hex,0,4) == 'iPXE'";
  const isPxe = "substring(option[60].hex,0,9) == 'PXEClient'";
  const isHttp = "substring(option[60].hex,0,10) == 'HTTPClient'";
  const hex = (code: number) => `0x${code.toString(16).padStart(4, '0')}`;
  const arch = (codes: readonly number[]) => `(${codes.map((code) => `option[93].hex == ${hex(code)}`).join(' or ')})`;
  const named = (name: string) => `${name}@${host.interface}`;
  return [
    {
      name: named('ipxe'),
      test: `${here} and ${isIpxe}`,
      'boot-file-name': `${boot}/boot.ipxe`,
      'next-server': host.address,
      // 175.176 = 1: iPXE need not wait three seconds for a proxy DHCP server.
      'option-data': [
        { name: 'ipxe-encap', 'always-send': true },
        { space: 'ipxe', name: 'no-pxedhcp', data: '1' },
      ],
    },
    {
      name: named('bios-pxe'),
      test: `${here} and ${isPxe} and ${arch(ARCHS_OF.bios)} and not (${isIpxe})`,
      'boot-file-name': programs.bios,
      'next-server': host.address,
    },
    {
      name: named('uefi-pxe'),
      test: `${here} and ${isPxe} and ${arch(ARCHS_OF.uefi)} and not (${isIpxe})`,
      'boot-file-name': programs.uefi,
      'next-server': host.address,
    },
    ...(programs.uefiHttp === null
      ? []
      : [
          {
            name: named('uefi-http'),
            test: `${here} and ${isHttp} and ${arch(ARCHS_OF.uefiHttp)} and not (${isIpxe})`,
            'boot-file-name': `${boot}/${programs.uefiHttp}`,
            'next-server': host.address,
            // UEFI 2.9 §24.7.2.3: the offer counts as one for HTTP boot only with this class in it.
            'option-data': [{ name: 'vendor-class-identifier', data: 'HTTPClient', 'always-send': true }],
          },
        ]),
  ];
}

function networkOf(vlan: SnapshotVlan): KeaSharedNetwork {
  return { name: `vlan-${vlan.id}`, subnet4: vlan.subnets.map((subnet) => renderSubnet(subnet, vlan.mtu)) };
}

function renderSubnet(subnet: SnapshotSubnet, mtu: number): KeaSubnet {
  const options: KeaOption[] = [];
  if (subnet.gateway !== null) options.push({ name: 'routers', data: subnet.gateway });
  if (subnet.dnsServers.length > 0) options.push({ name: 'domain-name-servers', data: subnet.dnsServers.join(', ') });
  if (mtu !== 1500) options.push({ name: 'interface-mtu', data: String(mtu) });
  return {
    id: subnet.id,
    subnet: subnet.cidr,
    pools: subnet.pools.map(({ start, end }) => ({ pool: `${start} - ${end}` })),
    'option-data': options,
    reservations: subnet.reservations.map(({ mac, ip, hostname }) => ({
      'hw-address': mac,
      'ip-address': ip,
      ...(hostname === '' ? {} : { hostname }),
    })),
  };
}
