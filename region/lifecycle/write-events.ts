import type { Actor, DomainEvent } from '@ingot/core/machine/model.ts';
import type { Transaction } from 'kysely';
import type { Caller } from '../deps.ts';
import type { Tables } from '../store/schema.ts';

/** Numbers that clients compare. */
export const EVENT_LEVELS = { AUDIT: 0, DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40 } as const;
const ENDPOINTS = { api: 0, ui: 1, cli: 2, system: 0 } as const;

/** What a command to one machine has told. */
export interface Told {
  machine: { id: number; systemId: string; hostname: string };
  events: readonly DomainEvent[];
  actor: Actor;
  caller: Caller | undefined;
}

/** Appends a machine's events under the name of who caused them. */
export async function writeEvents(
  trx: Transaction<Tables>,
  machine: Told['machine'],
  events: readonly DomainEvent[],
  actor: Actor,
  caller: Caller | undefined,
): Promise<void> {
  await writeEventsOf(trx, [{ machine, events, actor, caller }]);
}

/** The same of many machines, in one statement. */
export async function writeEventsOf(trx: Transaction<Tables>, told: readonly Told[]): Promise<void> {
  const rows = told.flatMap(({ machine, events, actor, caller }) => {
    const user = actor.kind === 'user' ? { id: actor.id, name: actor.name } : { id: null, name: '' };
    return events.map((event) => ({
      machine_id: machine.id,
      system_id: machine.systemId,
      hostname: machine.hostname,
      user_id: caller?.userId ?? user.id,
      username: caller?.username ?? user.name,
      type: event.type,
      level: EVENT_LEVELS[event.level],
      description: event.description,
      endpoint: ENDPOINTS[caller?.endpoint ?? 'system'],
      ip_address: caller?.address ?? null,
      user_agent: caller?.userAgent ?? '',
    }));
  });
  if (rows.length > 0) await trx.insertInto('events').values(rows).execute();
}
