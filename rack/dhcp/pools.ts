import type { PoolState } from '@ingot/contract/rack.ts';
import * as z from 'zod';
import { keaCommand } from './kea-control.ts';

/** Kea's counters of one subnet (Kea ARM, table "DHCPv4 Statistics"). */
export interface PoolCounters {
  subnetId: number;
  addresses: number;
  given: number;
  /** Since Kea started or was configured anew. */
  failures: number;
}

const NAME = /^subnet\[(\d+)\]\.(total-addresses|assigned-addresses|v4-allocation-fail)$/;
const Samples = z.record(z.string(), z.unknown());
const Newest = z.array(z.tuple([z.number(), z.string()])).min(1);

/** What `statistic-get-all` says of each subnet; anything else in it is passed over. */
export function parsePoolCounters(statistics: unknown): PoolCounters[] {
  const bySubnet = new Map<number, PoolCounters>();
  for (const [name, samples] of Object.entries(Samples.safeParse(statistics).data ?? {})) {
    const [, id, what] = NAME.exec(name) ?? [];
    const value = Newest.safeParse(samples).data?.[0]?.[0];
    if (id === undefined || value === undefined) continue;
    const subnetId = Number(id);
    const counters = bySubnet.get(subnetId) ?? { subnetId, addresses: 0, given: 0, failures: 0 };
    if (what === 'total-addresses') counters.addresses = value;
    else if (what === 'assigned-addresses') counters.given = value;
    else counters.failures = value;
    bySubnet.set(subnetId, counters);
  }
  return [...bySubnet.values()];
}

/** Rejects when Kea does not answer. */
export async function readPoolCounters(controlSocket: string): Promise<PoolCounters[]> {
  const answer = await keaCommand(controlSocket, 'statistic-get-all', undefined, 5000);
  return parsePoolCounters(answer.arguments);
}

/** How the counters moved. A counter that fell began anew, so all of it is new; with none before, nothing is. */
export function poolStates(before: readonly PoolCounters[] | null, now: readonly PoolCounters[]): PoolState[] {
  return now.map(({ subnetId, addresses, given, failures }) => {
    const old = before?.find((one) => one.subnetId === subnetId)?.failures ?? (before === null ? failures : 0);
    return { subnetId, addresses, given, refused: failures >= old ? failures - old : failures };
  });
}
