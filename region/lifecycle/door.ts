import type { Command, Decide, DecideContext, Decision } from '@ingot/core/machine/model.ts';
import type { Kysely, Transaction } from 'kysely';
import type { Applied, Caller, Door, Sealer, Wanted } from '../deps.ts';
import { marking } from '../store/mark.ts';
import { NotFound } from '../store/not-found.ts';
import { isWorthRetrying } from '../store/pg-error.ts';
import type { Tables } from '../store/schema.ts';
import { together } from '../store/together.ts';
import { carryOut } from './effects/carry-out.ts';
import { type HeldMachine, type LoadedMachine, loadLocked, loadMachine } from './load.ts';
import { Refused } from './refused.ts';
import { isRowOnly, saving, savingRows } from './save.ts';
import { type Told, tellingOf } from './write-events.ts';

/** Two transactions can meet; four times in a row means that something else is wrong. */
const TRIES = 4;

export interface DoorParts {
  db: Kysely<Tables>;
  sealer: Sealer;
  decide: Decide;
  /** Called after each commit that changed something; `due` tells that the convergence loop has work. */
  committed: (due: boolean) => void;
}

/** The only way to change a machine's state. See Door in ../deps.ts. */
export function createDoor(parts: DoorParts): Door {
  return {
    async load(systemId) {
      return (await loadMachine(parts.db, systemId))?.state ?? null;
    },
    async apply(systemId, command, caller, alongside) {
      try {
        const outcome = await retried(parts, (trx) => once(parts, trx, systemId, command, caller, alongside));
        if (outcome.changed) parts.committed(outcome.due);
        return outcome.applied;
      } catch (error) {
        if (error instanceof Refused) return { ok: false, refused: [error.refusal] };
        throw error;
      }
    },
    async applyEach(wanted, wait) {
      if (wanted.length === 0) return [];
      const { applied, changed, due } = await retried(parts, (trx) => onceEach(parts, trx, wanted, wait));
      if (changed) parts.committed(due);
      return applied;
    },
  };
}

async function retried<Result>(parts: DoorParts, work: (trx: Transaction<Tables>) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await parts.db.transaction().execute(work);
    } catch (error) {
      if (attempt >= TRIES || !isWorthRetrying(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * attempt * (1 + Math.random())));
    }
  }
}

interface Outcome {
  applied: Applied;
  changed: boolean;
  due: boolean;
}

async function once(
  parts: DoorParts,
  trx: Transaction<Tables>,
  systemId: string,
  command: Command,
  caller: Caller | undefined,
  alongside: ((trx: Transaction<Tables>) => Promise<boolean>) | undefined,
): Promise<Outcome> {
  const [loaded] = await loadLocked(trx, [systemId], true);
  if (!loaded) throw new NotFound('machine', systemId);
  if (alongside && !(await alongside(trx))) {
    return { applied: { ok: true, machine: loaded.state, events: [], note: 'stale' }, changed: false, due: false };
  }
  const decision = parts.decide(loaded.state, command, decideContext(loaded));
  if (!decision.ok) return { applied: { ok: false, refused: decision.refused }, changed: false, due: false };
  const { machine, events, effects, note, closed } = decision;
  const applied: Applied = { ok: true, machine, events, note };
  if (isNothing(loaded, decision)) {
    return { applied, changed: alongside !== undefined, due: false };
  }
  const identity = { id: loaded.row.id, systemId, hostname: machine.hostname };
  const told = events.length === 0 ? [] : [tellingOf([{ machine: identity, events, actor: command.actor, caller }])];
  const marks = marking([identity], machine.attempt ? [machine.attempt.id] : []);
  await together([...saving(loaded, machine, closed), ...told, ...marks]).execute(trx);
  const effectContext = { trx, sealer: parts.sealer, settings: loaded.settings, machineId: loaded.row.id, machine };
  for (const effect of effects) await carryOut(effectContext, effect);
  const due = machine.nextAt !== null && machine.nextAt <= loaded.now;
  return { applied, changed: true, due };
}

/** Accepted, and nothing is to be written. */
function isNothing(loaded: LoadedMachine, { note, events, effects, machine }: Decision & { ok: true }): boolean {
  if (note === undefined || events.length > 0 || effects.length > 0) return false;
  return JSON.stringify(loaded.state) === JSON.stringify(machine);
}

/**
 * The same for several machines, with a number of statements that does not grow with them as long as the decisions change
 * rows only (an allocation does).
 */
async function onceEach(
  parts: DoorParts,
  trx: Transaction<Tables>,
  wanted: readonly Wanted[],
  wait: boolean,
): Promise<{ applied: (Applied | null)[]; changed: boolean; due: boolean }> {
  const systemIds = wanted.map((one) => one.systemId);
  if (new Set(systemIds).size < systemIds.length) throw new Error('several commands to one machine at once');
  const machines = await loadLocked(trx, systemIds, wait);
  const bySystemId = new Map(machines.map((loaded) => [loaded.row.system_id, loaded]));
  const rows: { loaded: LoadedMachine; after: LoadedMachine['state'] }[] = [];
  const told: (Told & { attemptId: number | null })[] = [];
  let due = false;
  const applied: (Applied | null)[] = [];
  for (const { systemId, command, caller } of wanted) {
    const loaded = bySystemId.get(systemId);
    if (!loaded) {
      applied.push(null);
      continue;
    }
    const decision = parts.decide(loaded.state, command, decideContext(loaded));
    if (!decision.ok) {
      applied.push({ ok: false, refused: decision.refused });
      continue;
    }
    const { machine, events, effects, note, closed } = decision;
    applied.push({ ok: true, machine, events, note });
    if (isNothing(loaded, decision)) continue;
    if (isRowOnly(loaded, machine, closed)) rows.push({ loaded, after: machine });
    else await together(saving(loaded, machine, closed)).execute(trx);
    const identity = { id: loaded.row.id, systemId, hostname: machine.hostname };
    told.push({ machine: identity, events, actor: command.actor, caller, attemptId: machine.attempt?.id ?? null });
    const effectContext = { trx, sealer: parts.sealer, settings: loaded.settings, machineId: loaded.row.id, machine };
    for (const effect of effects) await carryOut(effectContext, effect);
    due ||= machine.nextAt !== null && machine.nextAt <= loaded.now;
  }
  if (told.length > 0) {
    const marks = marking(
      told.map((one) => one.machine),
      told.flatMap((one) => one.attemptId ?? []),
    );
    await together([savingRows(rows), tellingOf(told), ...marks]).execute(trx);
  }
  return { applied, changed: told.length > 0, due };
}

function decideContext({ now, attemptId, settings }: HeldMachine): DecideContext {
  return {
    now,
    attemptId,
    nodeTimeout: settings.node_timeout,
    fastTrackMs: settings.fast_track * 60_000,
    phaseLimits: Object.fromEntries(Object.entries(settings.phase_limits).map(([phase, s]) => [phase, s * 1000])),
    settings: {
      eraseOnRelease: settings.enable_disk_erasing_on_release,
      secureErase: settings.disk_erase_with_secure_erase,
      quickErase: settings.disk_erase_with_quick_erase,
    },
  };
}
