import type { CandidateRow } from '@ingot/core/allocate/candidate.ts';
import type { Lack, Match } from '@ingot/core/allocate/candidates.ts';
import type { Command, Refusal } from '@ingot/core/machine/model.ts';
import type { Caller, RegionDeps } from '../../deps.ts';
import { batched } from '../../store/batched.ts';
import {
  type CandidateClass,
  type CandidateIndex,
  type Candidates,
  candidateIndex,
  firstOfCost,
} from './candidate-index.ts';

/** Requests that are served by one transaction. */
const BATCH = 32;
/** Looks at what is free, each after the chosen machines of the last one were taken by others. */
const ROUNDS = 40;

export interface AllocationRequest {
  person: { id: number; admin: boolean };
  /** How a machine fits; anything else: it does not. */
  test: (row: CandidateRow) => Match | Lack;
  /** Only machines of this pool, or zone, pass the test; null: it does not ask for one. */
  pool: string | null;
  zone: string | null;
  /** No machine of a lower cost passes the test. */
  leastCost: number;
  /** The test looks at disks and interfaces. */
  devices: boolean;
  /** It may tell machines of one class apart: it looks at names, disks or interfaces, or gives matches of its own. */
  each: boolean;
  /** Null: choose only, take nothing. */
  take: { command: Extract<Command, { type: 'allocate' }>; caller: Caller } | null;
  /** Give every fitting machine too. */
  listAll: boolean;
  /** When none fits, give those that could be taken. */
  explain: boolean;
}

export type Allocation =
  | { kind: 'chosen'; match: Match; all: Match[] }
  /** No machine that the person may take fits; `free` are those he may take at all, if `explain` was asked. */
  | { kind: 'none'; free: readonly CandidateRow[] }
  | { kind: 'refused'; refused: Refusal[] };

export type Allocator = (request: AllocationRequest) => Promise<Allocation>;

interface Pending {
  request: AllocationRequest;
  /** Machines that somebody else took or held when this request wanted them. */
  missed: Set<string>;
}

type AllocatorParts = Pick<RegionDeps, 'db' | 'door'>;

/** One a database: it holds the index, and requests of both APIs go through it together. */
const allocators = new WeakMap<object, Allocator>();

export function allocatorOf(deps: AllocatorParts): Allocator {
  const known = allocators.get(deps.db);
  if (known !== undefined) return known;
  const made = createAllocator(deps);
  allocators.set(deps.db, made);
  return made;
}

/**
 * Takes machines for many requests at once: the cheapest that fits, for each a different one, decided by the door in one
 * transaction. Other region processes do the same on the same machines; a row's lock decides, and who comes second
 * chooses again. Nobody is told "none" while a fitting machine is only held by somebody.
 */
function createAllocator({ db, door }: AllocatorParts): Allocator {
  const index = candidateIndex(db);
  // One batch at a time: the index is brought up to date by it, and the next batch gathers meanwhile.
  return batched({ size: BATCH, atOnce: 1 }, (requests) => serve(index, door, requests));
}

async function serve(
  index: CandidateIndex,
  door: RegionDeps['door'],
  requests: readonly AllocationRequest[],
): Promise<Allocation[]> {
  const answers = new Map<AllocationRequest, Allocation>();
  let open = requests.map((request): Pending => ({ request, missed: new Set() }));
  let wait = false;
  for (let round = 1; open.length > 0 && round <= ROUNDS; round++) {
    const candidates = await index.refresh(open.some(({ request }) => request.devices));
    const wanted: { pending: Pending; match: Match; take: NonNullable<AllocationRequest['take']> }[] = [];
    const chosen = new Set<string>();
    let waitNext = false;
    for (const pending of open) {
      const { request } = pending;
      const choice = choose(candidates, pending, chosen);
      if (choice.kind === 'none') {
        answers.set(request, { kind: 'none', free: request.explain ? freeFor(candidates, request) : [] });
      } else if (choice.kind === 'later') {
        // All that fit are held by others: next time they are waited for.
        waitNext ||= pending.missed.size > 0;
        pending.missed.clear();
      } else if (request.take === null) {
        answers.set(request, { kind: 'chosen', match: choice.match, all: allFor(candidates, request) });
      } else {
        chosen.add(choice.match.row.systemId);
        wanted.push({ pending, match: choice.match, take: request.take });
      }
    }
    const applied = await door.applyEach(
      wanted.map(({ match, take }) => ({ systemId: match.row.systemId, command: take.command, caller: take.caller })),
      wait,
    );
    for (const [at, { pending, match }] of wanted.entries()) {
      const outcome = applied[at] ?? null;
      if (outcome?.ok) {
        answers.set(pending.request, { kind: 'chosen', match, all: allFor(candidates, pending.request) });
      } else if (outcome === null || isLostRace(outcome.refused)) {
        pending.missed.add(match.row.systemId);
      } else {
        answers.set(pending.request, { kind: 'refused', refused: outcome.refused });
      }
    }
    open = open.filter(({ request }) => !answers.has(request));
    wait = waitNext;
  }
  return requests.map((request) => answers.get(request) ?? { kind: 'none', free: [] });
}

type Choice = { kind: 'match'; match: Match } | { kind: 'none' } | { kind: 'later' };

/**
 * The cheapest fitting machine, ties by id, that nobody else in this batch has; `later` when all that fit are held or
 * chosen.
 */
function choose(candidates: Candidates, { request, missed }: Pending, chosen: ReadonlySet<string>): Choice {
  const classes = candidates.at(request.pool, request.zone);
  let held = false;
  let best: { match: Match; cost: number } | null = null;
  for (let at = firstOfCost(classes, request.leastCost); at < classes.length; at++) {
    const one = classes[at];
    if (one === undefined || (best !== null && one.cost > best.cost)) break;
    if (!mayMatch(one, request)) continue;
    for (const match of matchesOf(one, request)) {
      const isHeld = chosen.has(match.row.systemId) || missed.has(match.row.systemId);
      held ||= isHeld;
      if (isHeld) continue;
      if (best === null || match.row.id < best.match.row.id) best = { match, cost: one.cost };
      break;
    }
  }
  if (best !== null) return { kind: 'match', match: best.match };
  return held ? { kind: 'later' } : { kind: 'none' };
}

/** False for a class that the person may not take, or none of which fits; one test for all where none tells them apart. */
function mayMatch({ ownerId, machines }: CandidateClass, request: AllocationRequest): boolean {
  const { person } = request;
  if (!person.admin && ownerId !== null && ownerId !== person.id) return false;
  const [first] = machines;
  return request.each || first === undefined || typeof request.test(first.row) !== 'function';
}

/** The fitting machines, by id, of a class that may match. */
function* matchesOf({ machines }: CandidateClass, request: AllocationRequest): Generator<Match> {
  for (const { row } of machines) {
    const match = request.each ? request.test(row) : { row, byType: {} };
    if (typeof match !== 'function') yield match;
  }
}

function allMatches(classes: readonly CandidateClass[], request: AllocationRequest): Match[] {
  return classes.filter((one) => mayMatch(one, request)).flatMap((one) => [...matchesOf(one, request)]);
}

function freeFor(candidates: Candidates, request: AllocationRequest): CandidateRow[] {
  const anything = { ...request, each: true, test: (row: CandidateRow) => ({ row, byType: {} }) };
  return allMatches(candidates.at(null, null), anything).map((match) => match.row);
}

function allFor(candidates: Candidates, request: AllocationRequest): Match[] {
  return request.listAll ? allMatches(candidates.at(request.pool, request.zone), request) : [];
}

/** Taken, locked or given away meanwhile; anything else is a reason. */
function isLostRace(refused: readonly Refusal[]): boolean {
  return /^(status\.|perm\.|locked$)/.test(refused[0]?.code ?? '');
}
