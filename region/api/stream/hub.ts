import type { StreamEvent } from '@ingot/contract/native.ts';
import type { Change, RegionDeps } from '../../deps.ts';
import { inOneMoment } from '../../store/one-moment.ts';
import { maySee, type Principal } from '../principal.ts';
import { attemptsById } from '../read/attempts.ts';
import { machinesAt, type OwnedView } from '../read/machines.ts';
import type { TypicalTimes } from '../read/typical.ts';

/** One event for one reader; `id` is the cursor to resume after. */
export interface Delivery {
  id: string;
  event: StreamEvent;
}

/** More things that changed while one batch was read are not told one by one: whoever watches reads the lists again. */
const LONGEST_BATCH = 20_000;

/** Takes the deliveries of one batch. */
export type Reader = (deliveries: Delivery[]) => void;

/**
 * Turns changes into what readers may see. Each batch is read from the database once, whatever the number of readers.
 * Readers get batches in the order of their cursors; `resume` replays what came after a cursor, null when too old.
 */
export interface StreamHub {
  attach(principal: Principal, reader: Reader): () => void;
  resume(principal: Principal, cursor: string): Promise<Delivery[] | null>;
  cursor(): string;
  readers(): number;
  close(): void;
}

interface Owned {
  ownerId: number | null;
  event: StreamEvent;
}

/** Events are made once a batch, the same objects for every reader (see the texts in serve.ts). */
interface Seen {
  machines: Map<string, Owned>;
  attempts: Map<string, Owned>;
}

export function streamHub(deps: RegionDeps, typical: TypicalTimes, now: () => number): StreamHub {
  const readers = new Map<Reader, Principal>();
  let stop: (() => void) | null = null;
  let waiting: Change[] = [];
  let working = false;

  async function deliver(changes: Change[]): Promise<void> {
    const seen = await look(deps, typical, changes, now());
    for (const [reader, principal] of readers) {
      const deliveries = deliveriesFor(principal, changes, seen);
      if (deliveries.length > 0) reader(deliveries);
    }
  }

  function reset(changes: Change[]): void {
    const cursor = changes.at(-1)?.cursor ?? deps.changes.cursor();
    for (const reader of readers.keys()) reader([{ id: cursor, event: { event: 'reset', data: {} } }]);
  }

  /** One batch after another, so that nobody gets an older state after a newer one. What comes meanwhile is the next batch. */
  async function work(): Promise<void> {
    if (working) return;
    working = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      if (readers.size === 0) continue;
      if (batch.length > LONGEST_BATCH) reset(batch);
      else {
        await deliver(batch).catch((error: unknown) => {
          // What could not be read now would be missing for good: readers start afresh.
          deps.log.error({ err: error }, 'event stream: a batch could not be read; readers are told to reset');
          reset(batch);
        });
      }
    }
    working = false;
  }

  function start(): void {
    stop ??= deps.changes.subscribe((changes) => {
      waiting = coalesce([...waiting, ...changes]);
      void work();
    });
  }

  return {
    attach(principal, reader) {
      readers.set(reader, principal);
      start();
      return () => {
        readers.delete(reader);
        if (readers.size > 0) return;
        stop?.();
        stop = null;
      };
    },
    async resume(principal, cursor) {
      const changes = await deps.changes.since(cursor);
      if (changes === null) return null;
      const coalesced = coalesce(changes);
      return deliveriesFor(principal, coalesced, await look(deps, typical, coalesced, now()));
    },
    cursor: () => deps.changes.cursor(),
    readers: () => readers.size,
    close() {
      stop?.();
      stop = null;
      readers.clear();
    },
  };
}

/** One change a thing, at the place of its last: whoever was cut off before it gets it again, with the newest state. */
export function coalesce(changes: readonly Change[]): Change[] {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    if (change.kind !== 'machine' && change.kind !== 'gone' && change.kind !== 'attempt') continue;
    const key = `${change.kind === 'attempt' ? 'attempt' : 'machine'} ${change.key}`;
    latest.delete(key);
    latest.set(key, change);
  }
  return [...latest.values()];
}

async function look(deps: RegionDeps, typical: TypicalTimes, changes: readonly Change[], now: number): Promise<Seen> {
  const attemptIds = changes
    .filter((change) => change.kind === 'attempt')
    .map((change) => Number(change.key))
    .filter(Number.isSafeInteger);
  const times = await typical.read(now);
  // An attempt and its machine are told as they were at one moment.
  const { attempts, owned } = await inOneMoment(deps.db, async (moment) => {
    const attempts = await attemptsById(moment, times, attemptIds, now);
    // Attempts are seen by whoever may see their machine, so its owner is needed although only the attempt changed.
    const systemIds = new Set(changes.filter((change) => change.kind === 'machine').map((change) => change.key));
    for (const attempt of attempts) systemIds.add(attempt.systemId);
    const choice = { systemIds: [...systemIds] };
    const owned = systemIds.size === 0 ? [] : await machinesAt(moment, times, choice, null, now);
    return { attempts, owned };
  });
  const machines = new Map(owned.map((one) => [one.view.systemId, machineEvent(one)]));
  const known = attempts.filter((attempt) => machines.has(attempt.systemId));
  return {
    machines,
    attempts: new Map(
      known.map((attempt) => [
        String(attempt.id),
        {
          ownerId: machines.get(attempt.systemId)?.ownerId ?? null,
          event: { event: 'attempt' as const, data: attempt },
        },
      ]),
    ),
  };
}

function machineEvent({ ownerId, view }: OwnedView): Owned {
  return { ownerId, event: { event: 'machine', data: view } };
}

function deliveriesFor(principal: Principal, changes: readonly Change[], seen: Seen): Delivery[] {
  const deliveries: Delivery[] = [];
  for (const change of changes) {
    const event = eventFor(principal, change, seen);
    if (event) deliveries.push({ id: change.cursor, event });
  }
  return deliveries;
}

function eventFor(principal: Principal, change: Change, seen: Seen): StreamEvent | null {
  if (change.kind === 'attempt') {
    const attempt = seen.attempts.get(change.key);
    return attempt && maySee(principal, attempt.ownerId) ? attempt.event : null;
  }
  const machine = change.kind === 'machine' ? seen.machines.get(change.key) : undefined;
  // Deleted, or now another's: for this reader it is gone.
  if (!machine || !maySee(principal, machine.ownerId)) return { event: 'gone', data: { systemId: change.key } };
  return machine.event;
}
