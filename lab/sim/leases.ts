import type { Snapshot } from '@ingot/contract/rack.ts';
import { formatIpv4, parseIpv4 } from '@ingot/core/network/address.ts';

export interface SimulatedLease {
  mac: string;
  ip: string;
  subnetId: number;
}

/** The address that a MAC gets in the first network with DHCP: its reservation, else what it had, else the next free one. */
export function leaseFor(
  snapshot: Snapshot | null,
  held: ReadonlyMap<string, SimulatedLease>,
  mac: string,
): SimulatedLease | null {
  const subnets = (snapshot?.vlans ?? []).filter(({ dhcp }) => dhcp === 'on').flatMap((vlan) => vlan.subnets);
  for (const { id, reservations, pools } of subnets) {
    const reserved = reservations.find((one) => one.mac.toLowerCase() === mac);
    if (reserved) return { mac, ip: reserved.ip, subnetId: id };
    const before = held.get(mac);
    if (before?.subnetId === id) return before;
    const taken = new Set([...held.values()].map(({ ip }) => ip).concat(reservations.map(({ ip }) => ip)));
    for (const pool of pools) {
      const start = parseIpv4(pool.start);
      const end = parseIpv4(pool.end);
      if (start === null || end === null) continue;
      for (let address = start; address <= end; address += 1) {
        const ip = formatIpv4(address);
        if (!taken.has(ip)) return { mac, ip, subnetId: id };
      }
    }
  }
  return null;
}
