import * as z from 'zod';
import { keaCommand } from '../dhcp/kea-control.ts';
import type { LeaseRow } from './lease-file.ts';
import { followLeases } from './lease-tail.ts';

export interface Leases {
  /** The MAC that holds a valid lease of this address; null = none of ours. */
  macOf(ip: string): Promise<string | null>;
  /** All valid leases by now. */
  all(): LeaseRow[];
  stop(): Promise<void>;
}

export interface LeasesOptions {
  file: string;
  /** Kea's control socket; null where its lease hook is missing. */
  controlSocket: string | null;
  onLease(row: LeaseRow): void;
}

/** Beyond this many the oldest are forgotten (Kea still knows them). */
const REMEMBERED = 65_536;

export async function openLeases(options: LeasesOptions): Promise<Leases> {
  const byIp = new Map<string, LeaseRow>();
  const tail = await followLeases(options.file, (row, fresh) => {
    byIp.delete(row.ip);
    if (row.valid) byIp.set(row.ip, row);
    if (byIp.size > REMEMBERED) byIp.delete(byIp.keys().next().value ?? '');
    if (fresh && row.valid) options.onLease(row);
  });
  const held = (ip: string) => {
    const known = byIp.get(ip);
    return known && known.expires * 1000 > Date.now() ? known.mac : null;
  };
  return {
    macOf: async (ip) => {
      const known = held(ip);
      if (known !== null) return known;
      if (options.controlSocket !== null) return await askKea(options.controlSocket, ip);
      // A machine asks the moment it has its address: the row may stand in the file, not yet read.
      await tail.poll();
      return held(ip);
    },
    all: () => [...byIp.values()].filter((row) => row.expires * 1000 > Date.now()),
    stop: () => tail.stop(),
  };
}

const Lease4 = z.object({ 'hw-address': z.string(), state: z.number() });

/** The file is written a moment after the lease is given; Kea itself knows at once. */
async function askKea(socketPath: string, ip: string): Promise<string | null> {
  const answer = await keaCommand(socketPath, 'lease4-get', { 'ip-address': ip }, 1000).catch(() => null);
  const lease = Lease4.safeParse(answer?.arguments);
  return lease.success && lease.data.state === 0 ? lease.data['hw-address'].toLowerCase() : null;
}
