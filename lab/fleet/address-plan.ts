import { formatIpv4, parseIpv4 } from '@ingot/core/network/address.ts';

/**
 * Where a fleet lives: addresses of 127.0.0.0/8, for which the kernel answers without anybody setting them up. Machines
 * have 127.N.0.0/16, in as many equal networks as there are VLANs; their BMCs 127.(N+1).0.0/16.
 */
export interface AddressPlan {
  /** One for each VLAN, and the BMCs' last: each is also a network, by its prefix. */
  rackAddresses: string[];
  bmcRackAddress: string;
  vlans: VlanPlan[];
  /** `index` counts from 1. UDP 6230 for IPMI and TCP 8443 for Redfish: ports below 1024 are for root. */
  bmcAddress(index: number): string;
  vlanOf(index: number): VlanPlan;
  /** What the foreign DHCP server gives to a machine. */
  leaseOf(index: number): string;
}

export interface VlanPlan {
  number: number;
  cidr: string;
  /** The rack's address in it. */
  rack: string;
  /** Given by the foreign DHCP server; Ingot must leave these alone. */
  range: { start: string; end: string };
}

export const IPMI_PORT = 6230;
export const REDFISH_PORT = 8443;
export const MOST_MACHINES = 10_000;
export const MOST_VLANS = 16;

/** `second` is N: 1 … 253. */
export function addressPlan(second: number, machines: number, vlanCount: number): AddressPlan {
  if (machines < 1 || machines > MOST_MACHINES || vlanCount < 1 || vlanCount > MOST_VLANS) {
    throw new RangeError(`1 to ${MOST_MACHINES} machines in 1 to ${MOST_VLANS} VLANs`);
  }
  const base = number(`127.${second}.0.0`);
  const bits = Math.ceil(Math.log2(vlanCount));
  const size = 2 ** (16 - bits);
  const vlans = Array.from({ length: vlanCount }, (_, at): VlanPlan => {
    const start = base + at * size;
    // Lower half for addresses that Ingot gives to installed systems.
    const range = { start: formatIpv4(start + size / 2), end: formatIpv4(start + size - 2) };
    return { number: at, cidr: `${formatIpv4(start)}/${16 + bits}`, rack: formatIpv4(start + 1), range };
  });
  const vlanOf = (index: number): VlanPlan => {
    const vlan = vlans[(index - 1) % vlanCount];
    if (vlan === undefined) throw new RangeError(`machine ${index}`);
    return vlan;
  };
  const bmcBase = number(`127.${second + 1}.0.0`);
  const bmcRackAddress = `${formatIpv4(bmcBase + 1)}/16`;
  return {
    bmcRackAddress,
    rackAddresses: [...vlans.map(({ rack, cidr }) => `${rack}/${cidr.split('/')[1]}`), bmcRackAddress],
    vlans,
    // From .1.0 on: below stands the rack.
    bmcAddress: (index) => formatIpv4(bmcBase + 256 + index),
    vlanOf,
    leaseOf: (index) => formatIpv4(number(vlanOf(index).range.start) + Math.floor((index - 1) / vlanCount)),
  };
}

function number(address: string): number {
  const value = parseIpv4(address);
  if (value === null) throw new RangeError(`${address} is no IPv4 address`);
  return value;
}
