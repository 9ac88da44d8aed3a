/** The BMCs of a sweep: `127.SECOND.1.1` and so on, all on one port; every `deadEvery`th takes packets and says nothing. */
export interface Hall {
  second: number;
  port: number;
  count: number;
  /** 20 = every twentieth, 5 %. */
  deadEvery: number;
}

export const USER = { name: 'ingot', password: 'sekret-pw', privilege: 'ADMIN' } as const;

/** `index` counts from 0. */
export function addressOf(hall: Hall, index: number): string {
  return `127.${hall.second}.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}

/** In the middle of its group, so that the first and the last machines live. */
export function isDead(hall: Hall, index: number): boolean {
  return index % hall.deadEvery === Math.floor(hall.deadEvery / 2);
}

/** What the power is: no constant, so that an answer has to be read. */
export function isOn(index: number): boolean {
  return index % 3 !== 0;
}

export function deadOf(hall: Hall): number {
  return Array.from({ length: hall.count }, (_, index) => index).filter((index) => isDead(hall, index)).length;
}

/** When the answers came; the rows of the bench are made of these. */
export interface Sweep {
  /** Seconds until the last answer of a BMC that lives. */
  liveSeconds: number;
  /** Seconds until the last outcome of all. */
  wholeSeconds: number;
  /** BMCs that had no outcome yet when the last live answer came. */
  waitingThen: number;
  cpuSeconds: number;
  /** Live BMCs without their right answer, and dead ones with one. */
  wrong: number;
}

/** `outcomes[index]` = when it came, milliseconds from the start, and what it said; null = never. */
export function sweepOf(
  hall: Hall,
  outcomes: readonly ({ atMs: number; state: 'on' | 'off' | null } | null)[],
  cpuSeconds: number,
): Sweep {
  let live = 0;
  let whole = 0;
  let wrong = 0;
  for (const [index, outcome] of outcomes.entries()) {
    const expected = isDead(hall, index) ? null : isOn(index) ? 'on' : 'off';
    if (outcome === null || outcome.state !== expected) wrong += 1;
    if (outcome === null) continue;
    whole = Math.max(whole, outcome.atMs);
    if (expected !== null) live = Math.max(live, outcome.atMs);
  }
  const waitingThen = outcomes.filter((outcome) => outcome === null || outcome.atMs > live).length;
  return { liveSeconds: live / 1000, wholeSeconds: whole / 1000, waitingThen, cpuSeconds, wrong };
}
