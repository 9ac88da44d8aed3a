import type { DhcpMode } from '@ingot/contract/rack.ts';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { Refusal } from '@ingot/core/machine/model.ts';

/** What is known of a subnet's DHCP. */
export interface DhcpFacts {
  cidr: string;
  mode: DhcpMode;
  foreign: readonly { address: string; mac: string }[];
  /** A rack has listened there for other servers within the last hour. */
  probed: boolean;
  pool: { addresses: number; given: number } | null;
  /** A machine asked in vain within the last minutes, and no address has become free since. */
  exhausted: boolean;
}

/** Pure: what a person should know about how this network is served, with what to do. */
export function networkWarnings(facts: DhcpFacts): Refusal[] {
  const { cidr, mode, foreign } = facts;
  const warnings: Refusal[] = [];
  if (mode === 'on') {
    for (const { address, mac } of foreign) warnings.push(refusal('network.foreign_dhcp', { address, mac, cidr }));
  }
  if (mode === 'proxy' && facts.probed && foreign.length === 0) warnings.push(refusal('network.proxy_alone', { cidr }));
  if (facts.exhausted) {
    const { addresses, given } = facts.pool ?? { addresses: 0, given: 0 };
    warnings.push(refusal('network.range_exhausted', { cidr, addresses, given }));
  }
  return warnings;
}
