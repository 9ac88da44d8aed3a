import type { Snapshot, SnapshotSubnet, SnapshotVlan } from '@ingot/contract/rack.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { cidrContains } from '../network/ipv4.ts';

/** The part of Kea 2.2's Dhcp4 configuration that we write (Kea ARM, chapter 8). */
export interface KeaConfig {
  Dhcp4: {
    'interfaces-config': { interfaces: string[]; 'dhcp-socket-type': 'raw' };
    'control-socket': { 'socket-type': 'unix'; 'socket-name': string };
    'lease-database': { type: 'memfile'; persist: true; name: string; 'lfc-interval': number };
    'hooks-libraries': { library: string }[];
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
  'boot-file-name': string;
  'next-server': string;
  'option-data'?: KeaOption[];
}
interface KeaSharedNetwork {
  name: string;
  interface: string;
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

/** A VLAN is served on the interface whose address lies in one of its subnets; null = this rack is not on it. */
export function interfaceOfVlan(vlan: SnapshotVlan, addresses: readonly HostAddress[]): HostAddress | null {
  for (const subnet of vlan.subnets) {
    const address = addresses.find((host) => cidrContains(subnet.cidr, host.address));
    if (address) return address;
  }
  return null;
}

/** Pure. VLANs with DHCP off, or on which this rack has no address, are left out. */
export function renderKeaConfig(
  snapshot: Pick<Snapshot, 'vlans'>,
  addresses: readonly HostAddress[],
  paths: KeaPaths,
  bootPort: number,
): KeaConfig {
  const networks: KeaSharedNetwork[] = [];
  const served = new Map<string, HostAddress>();
  for (const vlan of snapshot.vlans) {
    const host = vlan.dhcp === 'on' ? interfaceOfVlan(vlan, addresses) : null;
    if (host === null) continue;
    if (!served.has(host.interface)) served.set(host.interface, host);
    const subnet4 = vlan.subnets.map((subnet) => renderSubnet(subnet, vlan.mtu));
    networks.push({ name: `vlan-${vlan.id}`, interface: host.interface, subnet4 });
  }
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: [...served.keys()], 'dhcp-socket-type': 'raw' },
      'control-socket': { 'socket-type': 'unix', 'socket-name': paths.controlSocket },
      'lease-database': { type: 'memfile', persist: true, name: paths.leaseFile, 'lfc-interval': 3600 },
      'hooks-libraries': paths.leaseHook === null ? [] : [{ library: paths.leaseHook }],
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
      'client-classes': [...served.values()].flatMap((host) => bootClasses(host, bootPort)),
      'shared-networks': networks,
    },
  };
}

/** Client architectures of option 93: RFC 4578 §2.1 and IANA's registry. */
const ARCH = { bios: '0x0000', efiX64: '0x0007', efiBc: '0x0009', httpX64: '0x0010', httpX86: '0x000f' };

/** What a machine is to boot, by how it asks. One set for each interface, as the answer names the rack's address there. */
function bootClasses(host: HostAddress, bootPort: number): KeaClass[] {
  const boot = `http://${host.address}:${bootPort}`;
  const here = `pkt.iface == '${host.interface}'`;
  const isIpxe = "substring(option[77].hex,0,4) == 'iPXE'";
  const isPxe = "substring(option[60].hex,0,9) == 'PXEClient'";
  const isHttp = "substring(option[60].hex,0,10) == 'HTTPClient'";
  const arch = (...codes: string[]) => `(${codes.map((code) => `option[93].hex == ${code}`).join(' or ')})`;
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
      test: `${here} and ${isPxe} and ${arch(ARCH.bios)} and not (${isIpxe})`,
      'boot-file-name': 'undionly.kpxe',
      'next-server': host.address,
    },
    {
      name: named('uefi-pxe'),
      test: `${here} and ${isPxe} and ${arch(ARCH.efiX64, ARCH.efiBc)} and not (${isIpxe})`,
      'boot-file-name': 'snponly.efi',
      'next-server': host.address,
    },
    {
      name: named('uefi-http'),
      test: `${here} and ${isHttp} and ${arch(ARCH.httpX64, ARCH.httpX86)} and not (${isIpxe})`,
      'boot-file-name': `${boot}/snponly.efi`,
      'next-server': host.address,
      // UEFI 2.9 §24.7.2.3: the offer counts as one for HTTP boot only with this class in it.
      'option-data': [{ name: 'vendor-class-identifier', data: 'HTTPClient', 'always-send': true }],
    },
  ];
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
