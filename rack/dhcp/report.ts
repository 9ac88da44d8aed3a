import type { ForeignDhcpServer, PoolState, ToRegion } from '@ingot/contract/rack.ts';

type DhcpMessage = Extract<ToRegion, { type: 'dhcp' }>;

/** What is to be told to the region about DHCP. While the region is away it is kept: one entry for each VLAN and subnet. */
export interface DhcpNews {
  foreign(vlanId: number, servers: readonly ForeignDhcpServer[]): void;
  pools(states: readonly PoolState[]): void;
  /** The message, or null when nothing is new; `sent` says whether it left, else it is kept. */
  tell(send: (message: DhcpMessage) => boolean): void;
  /** A region that was away is told all that holds. */
  repeat(): void;
  servers(): number;
  refused(): number;
}

/** The limits of the message in contract/rack.ts. */
const VLANS = 500;
const SUBNETS = 2000;

export function createDhcpNews(): DhcpNews {
  const servers = new Map<number, ForeignDhcpServer[]>();
  const pools = new Map<number, PoolState>();
  const newVlans = new Set<number>();
  const newSubnets = new Set<number>();
  let refused = 0;
  return {
    foreign: (vlanId, found) => {
      servers.set(vlanId, [...found]);
      newVlans.add(vlanId);
    },
    pools: (states) => {
      for (const state of states) {
        refused += state.refused;
        const old = pools.get(state.subnetId);
        const waiting = old !== undefined && newSubnets.has(state.subnetId) ? old.refused : 0;
        const isNew = old?.addresses !== state.addresses || old.given !== state.given || state.refused > 0;
        pools.set(state.subnetId, { ...state, refused: state.refused + waiting });
        if (isNew) newSubnets.add(state.subnetId);
      }
    },
    tell: (send) => {
      const vlanIds = [...newVlans].slice(0, VLANS);
      const subnetIds = [...newSubnets].slice(0, SUBNETS);
      if (vlanIds.length === 0 && subnetIds.length === 0) return;
      const foreign = vlanIds.map((vlanId) => ({ vlanId, servers: servers.get(vlanId) ?? [] }));
      if (!send({ type: 'dhcp', foreign, pools: subnetIds.flatMap((id) => pools.get(id) ?? []) })) return;
      for (const id of vlanIds) newVlans.delete(id);
      for (const id of subnetIds) {
        newSubnets.delete(id);
        const told = pools.get(id);
        if (told) pools.set(id, { ...told, refused: 0 });
      }
    },
    repeat: () => {
      for (const id of servers.keys()) newVlans.add(id);
      for (const id of pools.keys()) newSubnets.add(id);
    },
    servers: () => [...servers.values()].reduce((sum, found) => sum + found.length, 0),
    refused: () => refused,
  };
}
