import { EVENT_LABELS } from './event-label-table.ts';

/** Human label of an event type, as `type` of an event and first half of status_message. */
export function eventLabel(type: string): string {
  return EVENT_LABELS[type] ?? words(type);
}

/** `FAILED_TESTING` → `Failed testing`. */
function words(type: string): string {
  const text = type.toLowerCase().replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
