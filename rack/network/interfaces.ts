import { networkInterfaces } from 'node:os';
import type { RackInterface } from '@ingot/contract/rack.ts';
import { cidrContains, parseCidr } from './ipv4.ts';

/** One IPv4 address of this host (or network namespace). */
export interface HostAddress {
  interface: string;
  mac: string;
  address: string;
  /** a.b.c.d/n */
  cidr: string;
}

/** Every IPv4 address but loopback, in the order of the kernel. `only` limits to interfaces of these names. */
export function hostAddresses(only: readonly string[] = []): HostAddress[] {
  const found: HostAddress[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    if (only.length > 0 && !only.includes(name)) continue;
    for (const entry of entries ?? []) {
      if (entry.internal || entry.family !== 'IPv4') continue;
      const { mac, address, netmask } = entry;
      found.push({ interface: name, mac, address, cidr: entry.cidr ?? `${address}/${prefixOf(netmask)}` });
    }
  }
  return found;
}

/**
 * An address of 127.0.0.0/8 with its prefix, 127.64.0.1/16, as one to serve on: the kernel answers for every one of them but
 * lists the first only. Null for anything else. Simulated machines on this host live there.
 */
export function loopbackAddress(text: string): HostAddress | null {
  const block = parseCidr(text);
  if (block === null || block.prefix <= 8 || !cidrContains('127.0.0.0/8', text.split('/')[0] ?? '')) return null;
  return { interface: 'lo', mac: '00:00:00:00:00:00', address: text.split('/')[0] ?? '', cidr: text };
}

function prefixOf(netmask: string): number {
  const bits = netmask.split('.').map((octet) => Number(octet).toString(2));
  return bits.join('').replaceAll('0', '').length;
}

/** Interfaces with an address, as the region wants to see them. */
export function reportedInterfaces(addresses: readonly HostAddress[]): RackInterface[] {
  const byName = new Map<string, RackInterface>();
  for (const { interface: name, mac, cidr } of addresses) {
    const entry = byName.get(name) ?? { name, mac, addresses: [], up: true };
    entry.addresses.push(cidr);
    byName.set(name, entry);
  }
  return [...byName.values()];
}
