/** A child that ran this long was well: the next restart is quick again. */
const WELL_AFTER_MS = 60_000;
const FIRST_MS = 200;
const LONGEST_MS = 30_000;

/** How long to wait before the next start: 0.2 s, doubled with each early end, at most 30 s. */
export interface BackOff {
  ended(ranMs: number): number;
}

export function backOff(): BackOff {
  let next = FIRST_MS;
  return {
    ended(ranMs) {
      if (ranMs >= WELL_AFTER_MS) next = FIRST_MS;
      const wait = next;
      next = Math.min(LONGEST_MS, next * 2);
      return wait;
    },
  };
}
