import type { EventView } from '@ingot/contract/native.ts';
import { table } from './table.ts';

/** Oldest first, as a log is read; times in UTC. */
export function eventTable(events: readonly EventView[]): string {
  if (events.length === 0) return 'No events.\n';
  return table(
    ['TIME', 'LEVEL', 'MACHINE', 'EVENT', 'DESCRIPTION'],
    [...events]
      .reverse()
      .map((event) => [
        `${event.at.slice(0, 19).replace('T', ' ')}Z`,
        event.level,
        event.hostname || '–',
        event.type,
        event.user === '' ? event.description : `${event.description} [${event.user}]`,
      ]),
  );
}
