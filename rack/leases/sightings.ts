import type { LeaseRow } from './lease-file.ts';

/** Seconds for which a sighting stands in for a lease that another server gave and whose end we do not know. */
const HOLDS_SECONDS = 3600;
const REPEAT_MS = 600_000;
const REMEMBERED = 65_536;

/** Cards seen at addresses that are not ours to give, told to the region like leases, each at most every ten minutes. */
export function createSightings(now: () => number): {
  /** Null when this was told lately. */
  leaseOf(seen: { ip: string; mac: string; subnetId: number }): LeaseRow | null;
} {
  const told = new Map<string, number>();
  return {
    leaseOf: ({ ip, mac, subnetId }) => {
      const key = `${ip} ${mac}`;
      if (now() - (told.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return null;
      told.delete(key);
      told.set(key, now());
      if (told.size > REMEMBERED) told.delete(told.keys().next().value ?? '');
      return { ip, mac, subnetId, hostname: '', expires: Math.round(now() / 1000) + HOLDS_SECONDS, valid: true };
    },
  };
}
