import type { ToRegion } from '@ingot/contract/rack.ts';
import type { EvidenceQueue } from '../evidence/evidence.ts';
import type { LeaseRow } from '../leases/lease-file.ts';
import type { Link } from './link.ts';

/** What goes up without being asked: evidence and leases, gathered for a moment so that a boot storm is few messages. */
export interface Outbox {
  addLease(row: LeaseRow): void;
  /** Everything that holds now, after a (re)connect. */
  resendLeases(rows: readonly LeaseRow[]): void;
  stop(): void;
}

const GATHER_MS = 30;
const EVIDENCE_PER_MESSAGE = 500;
const LEASES_PER_MESSAGE = 2000;

export function createOutbox(link: () => Link | null, evidence: EvidenceQueue, now: () => number): Outbox {
  /** By address: only the newest counts. While away this grows to at most the addresses that exist. */
  const leases = new Map<string, LeaseRow>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function schedule(): void {
    if (!stopped) timer ??= setTimeout(flush, GATHER_MS);
  }
  function flush(): void {
    timer = undefined;
    const to = link();
    if (!to?.connected()) return;
    // Leases first: the region finds the machine of an address by them.
    for (const rows = [...leases.values()]; rows.length > 0 && to.hasRoom(); ) {
      const some = rows.splice(0, LEASES_PER_MESSAGE);
      to.send({ type: 'leases', items: some.map((row) => leaseItem(row, now())) });
      for (const row of some) leases.delete(row.ip);
    }
    if (evidence.size() > 0 && to.hasRoom()) to.send({ type: 'evidence', items: evidence.take(EVIDENCE_PER_MESSAGE) });
    if (leases.size > 0) schedule();
    if (evidence.size() > 0) schedule();
  }

  evidence.onAdd(schedule);
  return {
    addLease: (row) => {
      leases.set(row.ip, row);
      schedule();
    },
    resendLeases: (rows) => {
      for (const row of rows) leases.set(row.ip, row);
      schedule();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      flush();
    },
  };
}

type LeaseItem = Extract<ToRegion, { type: 'leases' }>['items'][number];

function leaseItem(row: LeaseRow, now: number): LeaseItem {
  const { ip, mac, hostname, subnetId } = row;
  return { ip, mac, hostname, subnetId, expiresInSeconds: Math.max(0, Math.round(row.expires - now / 1000)) };
}
