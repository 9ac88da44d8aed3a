import { RESULT_STATUS_NAMES } from '../../lifecycle/result-status.ts';

export const scriptStatusName = (status: number): string => RESULT_STATUS_NAMES[status] ?? 'Unknown';

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
