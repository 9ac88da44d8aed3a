import type { Actor, DomainEvent } from '@ingot/core/machine/model.ts';
import { type RawBuilder, sql, type Transaction } from 'kysely';
import type { Caller } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { storableJson } from '../store/storable.ts';

/** Numbers that clients compare. */
export const EVENT_LEVELS = { AUDIT: 0, DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40 } as const;
const ENDPOINTS = { api: 0, ui: 1, cli: 2, system: 0 } as const;

const COLUMNS = [
  ...(['machine_id', 'system_id', 'hostname', 'user_id', 'username', 'type', 'level'] as const),
  ...(['description', 'endpoint', 'ip_address', 'user_agent'] as const),
];

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
  if (events.length > 0) await tellingOf([{ machine, events, actor, caller }]).execute(trx);
}

/** The same of many machines, as one statement whose text does not depend on their number. */
export function tellingOf(told: readonly Told[]): RawBuilder<unknown> {
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
  const columns = sql.join(COLUMNS.map((name) => sql.ref(name)));
  return sql`
    INSERT INTO events (${columns})
    SELECT ${columns} FROM jsonb_populate_recordset(NULL::events, ${storableJson(rows)}::jsonb)`;
}
