import { createHash } from 'node:crypto';
import type { DhcpPeer, SnapshotVlan, UefiBootChain } from '@ingot/contract/rack.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { type ServedVlan, servedVlans } from './served.ts';

/** VLANs that one Kea of this rack serves: all that it has for itself, or all that it shares with one other rack. */
export interface KeaGroup {
  /** Names its directory: `kea`, or `kea-` and eight digits for a pair. */
  name: string;
  /** Null: no other rack stands in. */
  peers: readonly DhcpPeer[] | null;
  vlans: ServedVlan[];
  /** Relayed to one of `vlans`. */
  relayed: SnapshotVlan[];
  chain: UefiBootChain;
}

export const ALONE = 'kea';

/**
 * Pure. Kea 2.2 knows one partner, and its standby is silent for everything it has: so each pair has a Kea of its own, beside
 * the one for what this rack serves alone. The partner's address is that in the first VLAN of the pair.
 */
export function keaGroups(
  vlans: readonly SnapshotVlan[],
  rack: string,
  addresses: readonly HostAddress[],
  chain: UefiBootChain = 'ipxe',
): KeaGroup[] {
  const groups = new Map<string, KeaGroup>();
  for (const served of servedVlans(vlans, 'on', rack, addresses)) {
    const { peers } = served.vlan;
    const name = peers === undefined ? ALONE : `${ALONE}-${pairSum(peers)}`;
    const group = groups.get(name) ?? { name, peers: peers ?? null, vlans: [], relayed: [], chain };
    group.vlans.push(served);
    group.relayed.push(...vlans.filter((vlan) => vlan.dhcp === 'relay' && vlan.relayVlan === served.vlan.id));
    groups.set(name, group);
  }
  return [...groups.values()];
}

function pairSum(peers: readonly DhcpPeer[]): string {
  const text = peers.map(({ rack, role }) => `${role} ${rack}`).join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
