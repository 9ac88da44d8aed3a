import type { AllocateRequest, MachineView } from '@ingot/contract/native.ts';
import { costOf } from '@ingot/core/allocate/candidates.ts';
import type { RegionDeps } from '../deps.ts';
import { failureFor, refusedBy } from './failure.ts';
import { actorOf, callerOf, type Principal } from './principal.ts';
import { readMachines } from './read/machines.ts';
import type { TypicalTimes } from './read/typical.ts';

/** Machines that another caller took between looking and taking are passed over, at most this often. */
const TRIES = 32;

/**
 * Takes the first fitting ready machine, cheapest first by the cost that the dialect uses too, then by system_id. Throws 409 naming the constraint that leaves nothing. Returns the system_id.
 */
export async function allocateMachine(
  deps: RegionDeps,
  typical: TypicalTimes,
  principal: Principal,
  request: AllocateRequest,
): Promise<string> {
  const all = await readMachines(deps.db, typical, { all: true }, principal, Date.now());
  const ready = all.filter((one) => one.view.status === 'READY' && !one.view.locked).map((one) => one.view);
  const fitting = ready.filter((view) => failing(view, request) === null).sort(bySize);
  for (const view of fitting.slice(0, TRIES)) {
    const applied = await deps.door.apply(
      view.systemId,
      { type: 'allocate', actor: actorOf(principal), comment: request.comment },
      callerOf(principal),
    );
    if (applied.ok) return view.systemId;
    const code = applied.refused[0]?.code ?? '';
    if (!code.startsWith('status.') && !code.startsWith('perm.')) throw refusedBy(applied.refused);
  }
  throw failureFor('allocate.none', { text: nothingLeft(ready, request) });
}

function bySize(a: MachineView, b: MachineView): number {
  return costOf(a) - costOf(b) || (a.systemId < b.systemId ? -1 : 1);
}

/** The first constraint that the machine does not meet, as it was written. */
function failing(view: MachineView, request: AllocateRequest): string | null {
  return constraintsOf(request).find(([, holds]) => !holds(view))?.[0] ?? null;
}

function constraintsOf(request: AllocateRequest): [string, (view: MachineView) => boolean][] {
  const { name, cpuCount, memory, tags, zone, pool, arch } = request;
  const constraints: [string, (view: MachineView) => boolean][] = [];
  if (name !== undefined) {
    constraints.push([`name ${name}`, (view) => [view.hostname, view.fqdn, view.systemId].includes(name)]);
  }
  if (arch !== undefined) {
    constraints.push([
      `arch ${arch}`,
      (view) => view.architecture === arch || view.architecture.split('/')[0] === arch,
    ]);
  }
  if (cpuCount !== undefined) constraints.push([`cpuCount ${cpuCount}`, (view) => view.cpuCount >= cpuCount]);
  if (memory !== undefined) constraints.push([`memory ${memory} MiB`, (view) => view.memory >= memory]);
  if (zone !== undefined) constraints.push([`zone ${zone}`, (view) => view.zone === zone]);
  if (pool !== undefined) constraints.push([`pool ${pool}`, (view) => view.pool === pool]);
  for (const tag of tags ?? []) constraints.push([`tag ${tag}`, (view) => view.tags.includes(tag)]);
  return constraints;
}

/** A funnel in one line: how many are left after each constraint, up to the one that leaves none. */
function nothingLeft(ready: readonly MachineView[], request: AllocateRequest): string {
  if (ready.length === 0) return 'No machine is ready.';
  let left = ready;
  const steps = [`${ready.length} ready`];
  for (const [words, holds] of constraintsOf(request)) {
    left = left.filter(holds);
    steps.push(`${left.length} with ${words}`);
    if (left.length === 0) return `No ready machine meets the constraints: ${steps.join(', ')}.`;
  }
  return 'Every fitting machine was taken by others just now.';
}
