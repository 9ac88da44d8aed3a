import type { Snapshot } from '@ingot/contract/rack.ts';

/** One VLAN with DHCP on PREFIX.100–110 (`prefix` = three octets), one image whose files are all `file`, no machines. */
export function snapshotOf(prefix: string, file: { sha256: string; size: number }): Snapshot {
  const pools = [{ start: `${prefix}.100`, end: `${prefix}.110` }];
  const subnet = { id: 4, cidr: `${prefix}.0/24`, gateway: null, dnsServers: [], pools, reservations: [] };
  return {
    version: 1,
    vlans: [{ id: 1, vid: 0, name: 'untagged', dhcp: 'on', mtu: 1500, subnets: [subnet] }],
    machines: [],
    ephemeral: [{ architecture: 'amd64', kernel: file, initrd: file, squashfs: file }],
    enlist: true,
    kernelOptions: '',
  };
}
