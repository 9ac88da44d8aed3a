import type { DhcpMode, SnapshotVlan } from '@ingot/contract/rack.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { cidrContains } from '../network/ipv4.ts';

/** A VLAN that this rack serves, and where. */
export interface ServedVlan {
  vlan: SnapshotVlan;
  host: HostAddress;
}

/** A VLAN is served on the interface whose address lies in one of its subnets; null = this rack is not on it. */
function interfaceOfVlan(vlan: SnapshotVlan, addresses: readonly HostAddress[]): HostAddress | null {
  for (const subnet of vlan.subnets) {
    const address = addresses.find((host) => cidrContains(subnet.cidr, host.address));
    if (address) return address;
  }
  return null;
}

/**
 * Pure. The VLANs of that mode that `rack` serves: it stands there, and it is one of the VLAN's racks. A second rack without
 * the pair's agreement (`peers`) keeps silent with `on`, since two that do not know of each other's leases give one address twice.
 */
export function servedVlans(
  vlans: readonly SnapshotVlan[],
  mode: DhcpMode,
  rack: string,
  addresses: readonly HostAddress[],
): ServedVlan[] {
  return vlans.flatMap((vlan) => {
    if (vlan.dhcp !== mode || (vlan.racks !== undefined && !vlan.racks.includes(rack))) return [];
    const isSecond = vlan.racks !== undefined && vlan.racks[0] !== rack;
    if (mode === 'on' && isSecond && vlan.peers === undefined) return [];
    const host = interfaceOfVlan(vlan, addresses);
    return host === null ? [] : [{ vlan, host }];
  });
}
