import type { Command, Decide, DecideContext, Decision } from '@ingot/core/machine/model.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Applied, Caller, Door, Sealer, Wanted } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { NotFound } from '../store/not-found.ts';
import { isWorthRetrying } from '../store/pg-error.ts';
import type { Tables } from '../store/schema.ts';
import { type Settings, settingsOf } from '../store/settings.ts';
import { carryOut } from './effects/carry-out.ts';
import { type LoadedMachine, loadLocked, loadMachine } from './load.ts';
import { Refused } from './refused.ts';
import { isRowOnly, saveMachine, saveRows } from './save.ts';
import { type Told, writeEvents, writeEventsOf } from './write-events.ts';

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
      return (await loadMachine(parts.db, systemId, false))?.state ?? null;
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
  const loaded = await loadMachine(trx, systemId, true);
  if (!loaded) throw new NotFound('machine', systemId);
  if (alongside && !(await alongside(trx))) {
    return { applied: { ok: true, machine: loaded.state, events: [], note: 'stale' }, changed: false, due: false };
  }
  const { settings, attemptIds } = await beside(trx, 1);
  const context = decideContext(loaded.now, attemptIds[0] ?? 0, settings);
  const decision = parts.decide(loaded.state, command, context);
  if (!decision.ok) return { applied: { ok: false, refused: decision.refused }, changed: false, due: false };
  const { machine, events, effects, note, closed } = decision;
  const applied: Applied = { ok: true, machine, events, note };
  if (isNothing(loaded, decision)) {
    return { applied, changed: alongside !== undefined, due: false };
  }
  await saveMachine(trx, loaded, machine, closed);
  const identity = { id: loaded.row.id, systemId, hostname: machine.hostname };
  await writeEvents(trx, identity, events, command.actor, caller);
  await markMachines(trx, [identity], machine.attempt ? [machine.attempt.id] : []);
  const effectContext = { trx, sealer: parts.sealer, settings, machineId: loaded.row.id, machine };
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
  const { settings, attemptIds } = await beside(trx, wanted.length);
  const rows: { loaded: LoadedMachine; after: LoadedMachine['state'] }[] = [];
  const told: (Told & { attemptId: number | null })[] = [];
  let due = false;
  const applied: (Applied | null)[] = [];
  for (const [index, { systemId, command, caller }] of wanted.entries()) {
    const loaded = bySystemId.get(systemId);
    if (!loaded) {
      applied.push(null);
      continue;
    }
    const decision = parts.decide(loaded.state, command, decideContext(loaded.now, attemptIds[index] ?? 0, settings));
    if (!decision.ok) {
      applied.push({ ok: false, refused: decision.refused });
      continue;
    }
    const { machine, events, effects, note, closed } = decision;
    applied.push({ ok: true, machine, events, note });
    if (isNothing(loaded, decision)) continue;
    if (isRowOnly(loaded, machine, closed)) rows.push({ loaded, after: machine });
    else await saveMachine(trx, loaded, machine, closed);
    const identity = { id: loaded.row.id, systemId, hostname: machine.hostname };
    told.push({ machine: identity, events, actor: command.actor, caller, attemptId: machine.attempt?.id ?? null });
    const effectContext = { trx, sealer: parts.sealer, settings, machineId: loaded.row.id, machine };
    for (const effect of effects) await carryOut(effectContext, effect);
    due ||= machine.nextAt !== null && machine.nextAt <= loaded.now;
  }
  await saveRows(trx, rows);
  await writeEventsOf(trx, told);
  await markMachines(
    trx,
    told.map((one) => one.machine),
    told.flatMap((one) => one.attemptId ?? []),
  );
  return { applied, changed: told.length > 0, due };
}

/** What a decision needs that is not the machine's: the settings, and an id for an attempt that it may open. */
async function beside(trx: Transaction<Tables>, count: number): Promise<{ settings: Settings; attemptIds: number[] }> {
  const { rows } = await sql<{ attempt_ids: number[]; settings: Record<string, unknown> | null }>`
    SELECT to_json(ARRAY(SELECT nextval('attempt_ids') FROM generate_series(1, ${count}::integer))) AS attempt_ids,
      (SELECT json_object_agg(name, value) FROM settings) AS settings`.execute(trx);
  const [row] = rows;
  const stored = Object.entries(row?.settings ?? {}).map(([name, value]) => ({ name, value }));
  return { settings: settingsOf(stored), attemptIds: row?.attempt_ids ?? [] };
}

function decideContext(now: number, attemptId: number, settings: Settings): DecideContext {
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
