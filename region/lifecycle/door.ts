import type { Command, Decide, DecideContext } from '@ingot/core/machine/model.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Applied, Caller, Door, Sealer } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { NotFound } from '../store/not-found.ts';
import { isWorthRetrying } from '../store/pg-error.ts';
import type { Tables } from '../store/schema.ts';
import { readSettings, type Settings } from '../store/settings.ts';
import { carryOut } from './effects/carry-out.ts';
import { type LoadedMachine, loadMachine } from './load.ts';
import { Refused } from './refused.ts';
import { saveMachine } from './save.ts';
import { writeEvents } from './write-events.ts';

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
      for (let attempt = 1; ; attempt += 1) {
        try {
          const outcome = await parts.db
            .transaction()
            .execute((trx) => once(parts, trx, systemId, command, caller, alongside));
          if (outcome.changed) parts.committed(outcome.due);
          return outcome.applied;
        } catch (error) {
          if (error instanceof Refused) return { ok: false, refused: [error.refusal] };
          if (attempt >= TRIES || !isWorthRetrying(error)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 10 * attempt * (1 + Math.random())));
        }
      }
    },
  };
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
  const settings = await readSettings(trx);
  const context = await decideContext(trx, loaded.now, settings);
  const decision = parts.decide(loaded.state, command, context);
  if (!decision.ok) return { applied: { ok: false, refused: decision.refused }, changed: false, due: false };
  const { machine, events, effects, note, closed } = decision;
  const applied: Applied = { ok: true, machine, events, note };
  if (note !== undefined && events.length === 0 && effects.length === 0 && unchanged(loaded, decision.machine)) {
    return { applied, changed: alongside !== undefined, due: false };
  }
  await saveMachine(trx, loaded, machine, closed);
  const identity = { id: loaded.row.id, systemId, hostname: machine.hostname };
  await writeEvents(trx, identity, events, command.actor, caller);
  await markMachines(trx, [identity]);
  if (machine.attempt) {
    await trx
      .insertInto('changes')
      .values({ kind: 'attempt', key: String(machine.attempt.id) })
      .execute();
  }
  const effectContext = { trx, sealer: parts.sealer, settings, machineId: loaded.row.id, machine };
  for (const effect of effects) await carryOut(effectContext, effect);
  const due = machine.nextAt !== null && machine.nextAt <= loaded.now;
  return { applied, changed: true, due };
}

function unchanged(loaded: LoadedMachine, after: LoadedMachine['state']): boolean {
  return JSON.stringify(loaded.state) === JSON.stringify(after);
}

async function decideContext(trx: Transaction<Tables>, now: number, settings: Settings): Promise<DecideContext> {
  const { rows } = await sql<{ id: number }>`SELECT nextval('attempt_ids') AS id`.execute(trx);
  const attemptId = rows[0]?.id;
  if (attemptId === undefined) throw new Error('nextval gave no row');
  return {
    now,
    attemptId,
    nodeTimeout: settings.node_timeout,
    phaseLimits: Object.fromEntries(Object.entries(settings.phase_limits).map(([phase, s]) => [phase, s * 1000])),
    settings: {
      eraseOnRelease: settings.enable_disk_erasing_on_release,
      secureErase: settings.disk_erase_with_secure_erase,
      quickErase: settings.disk_erase_with_quick_erase,
    },
  };
}
