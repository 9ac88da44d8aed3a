import type { AllocateRequest } from '@ingot/contract/native.ts';
import type { CandidateRow } from '@ingot/core/allocate/candidate.ts';
import { leastCost } from '@ingot/core/allocate/candidates.ts';
import type { RegionDeps } from '../deps.ts';
import { allocatorOf } from '../machines/allocation/allocator.ts';
import { failureFor, refusedBy } from './failure.ts';
import { actorOf, callerOf, type Principal } from './principal.ts';

/**
 * Takes the cheapest fitting machine that is ready, by the cost that the dialect uses too. Throws 409 naming the
 * constraint that leaves nothing. Returns the system_id.
 */
export async function allocateMachine(
  deps: RegionDeps,
  principal: Principal,
  request: AllocateRequest,
): Promise<string> {
  const constraints = constraintsOf(request);
  const allocation = await allocatorOf(deps)({
    person: { id: principal.userId, admin: principal.admin },
    test: (row) => {
      const lack = constraints.find(([, holds]) => !holds(row));
      return lack ? () => lack[0] : { row, byType: {} };
    },
    devices: false,
    each: request.name !== undefined,
    take: {
      command: { type: 'allocate', actor: actorOf(principal), comment: request.comment },
      caller: callerOf(principal),
    },
    pool: request.pool ?? null,
    zone: request.zone ?? null,
    leastCost: leastCost({ cpu_count: request.cpuCount, mem: request.memory }),
    listAll: false,
    explain: true,
  });
  switch (allocation.kind) {
    case 'chosen':
      return allocation.match.row.systemId;
    case 'refused':
      throw refusedBy(allocation.refused);
    case 'none':
      throw failureFor('allocate.none', { text: nothingLeft(allocation.free, constraints) });
  }
}

/** Each constraint as it was written, with its test. */
type Constraint = readonly [words: string, holds: (row: CandidateRow) => boolean];

function constraintsOf(request: AllocateRequest): Constraint[] {
  const { name, cpuCount, memory, tags, zone, pool, arch } = request;
  const constraints: Constraint[] = [];
  if (name !== undefined) {
    constraints.push([`name ${name}`, (row) => [row.hostname, row.fqdn, row.systemId].includes(name)]);
  }
  if (arch !== undefined) {
    constraints.push([`arch ${arch}`, (row) => row.architecture === arch || row.architecture.split('/')[0] === arch]);
  }
  if (cpuCount !== undefined) constraints.push([`cpuCount ${cpuCount}`, (row) => row.cpuCount >= cpuCount]);
  if (memory !== undefined) constraints.push([`memory ${memory} MiB`, (row) => row.memory >= memory]);
  if (zone !== undefined) constraints.push([`zone ${zone}`, (row) => row.zone.name === zone]);
  if (pool !== undefined) constraints.push([`pool ${pool}`, (row) => row.pool.name === pool]);
  for (const tag of tags ?? []) constraints.push([`tag ${tag}`, (row) => row.tags.includes(tag)]);
  return constraints;
}

/** A funnel in one line: how many are left after each constraint, up to the one that leaves none. */
function nothingLeft(ready: readonly CandidateRow[], constraints: readonly Constraint[]): string {
  if (ready.length === 0) return 'No machine is ready.';
  let left = ready;
  const steps = [`${ready.length} ready`];
  for (const [words, holds] of constraints) {
    left = left.filter(holds);
    steps.push(`${left.length} with ${words}`);
    if (left.length === 0) return `No ready machine meets the constraints: ${steps.join(', ')}.`;
  }
  return 'Every fitting machine was taken by others just now.';
}
