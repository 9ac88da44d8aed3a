import type { RegionDeps } from '../deps.ts';
import { recordEvidence } from '../evidence/record.ts';
import { completePowerWork } from '../lifecycle/power-work.ts';
import { bootEntries } from '../network/boot-entries.ts';
import { recordDhcp } from '../network/dhcp-report.ts';
import { registerRackInterfaces } from '../network/learn.ts';
import { recordLeases } from '../network/leases.ts';
import { nextSnapshotVersion, rackSnapshot } from '../network/rack-snapshot.ts';
import type { LinkParts } from './link-parts.ts';
import { beatLink, dropLink, noteHello, noteServices, takeLink } from './rack-rows.ts';
import { takeWork } from './work-rows.ts';

/** What stands behind a link in a running region. */
export function regionParts(deps: RegionDeps): LinkParts {
  return {
    take: (rackId) => takeLink(deps.db, rackId, deps.process),
    beat: (rackId, epoch) => beatLink(deps.db, rackId, epoch),
    drop: (rackId, epoch) => dropLink(deps.db, rackId, epoch),
    hello: (hello) => noteHello(deps.db, hello),
    registerInterfaces: (rackId, interfaces) => registerRackInterfaces(deps, rackId, interfaces),
    snapshot: () => rackSnapshot(deps),
    entries: async (systemIds) => {
      // Numbered before it is read: what changes in between gets a higher number, and comes again.
      const version = await nextSnapshotVersion(deps.db);
      const entries = await bootEntries(deps.db, systemIds);
      return { version, entries: new Map(entries.map((entry) => [entry.systemId, entry])) };
    },
    work: (rackId, epoch, all) => takeWork(deps, { rackId, epoch }, all),
    completeWork: async (_rackId, workId, outcome) => {
      await completePowerWork(deps, workId, outcome);
    },
    evidence: (rackId, items) => recordEvidence(deps, rackId, items),
    leases: (rackId, items) => recordLeases(deps, rackId, items),
    services: (rackId, services) => noteServices(deps.db, rackId, services),
    dhcp: (rackId, report) => recordDhcp(deps, rackId, report),
  };
}
