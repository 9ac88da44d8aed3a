/** Names of script result statuses by number (api-2.0-objects §0). */
export const SCRIPT_STATUS_NAMES = [
  'Pending',
  'Running',
  'Passed',
  'Failed',
  'Timed out',
  'Aborted',
  'Degraded',
  'Installing dependencies',
  'Failed installing dependencies',
  'Skipped',
  'Applying custom network configuration',
  'Failed to apply custom network configuration',
] as const;

export const scriptStatusName = (status: number): string => SCRIPT_STATUS_NAMES[status] ?? 'Unknown';

/** First match wins: which stored statuses make the aggregate. */
const PRECEDENCE: readonly (readonly [number, readonly number[]])[] = [
  [1, [1, 10, 7]],
  [0, [0]],
  [5, [5]],
  [3, [3, 11, 8, 4]],
  [6, [6]],
];

/** Aggregate of a set; -1 without results. Suppressed results must not be passed in. */
export function aggregateStatus(statuses: readonly number[]): number {
  if (statuses.length === 0) return -1;
  for (const [aggregate, members] of PRECEDENCE) {
    if (statuses.some((status) => members.includes(status))) return aggregate;
  }
  return 2;
}
