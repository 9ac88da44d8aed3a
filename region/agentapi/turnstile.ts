/**
 * Lets only so many through at a time; the others wait in line, in their order. Machines of a whole hall boot at once:
 * without it their requests would take every connection to the database, and a person's click would wait behind them all.
 */
export interface Turnstile {
  /** Runs `work` when it is its turn. Rejects with TurnstileFull when the line is too long. */
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** In line now. */
  waiting(): number;
}

/** Agents ask again after a 503. */
export class TurnstileFull extends Error {
  readonly statusCode = 503;
  constructor(line: number) {
    super(`${line} requests of machines are waiting already`);
  }
}

export function createTurnstile(atOnce: number, longestLine: number): Turnstile {
  let free = atOnce;
  const line: (() => void)[] = [];
  const leave = () => {
    const next = line.shift();
    if (next) next();
    else free += 1;
  };
  return {
    async pass(work) {
      if (free > 0) free -= 1;
      else {
        if (line.length >= longestLine) throw new TurnstileFull(line.length);
        await new Promise<void>((resolve) => line.push(resolve));
      }
      try {
        return await work();
      } finally {
        leave();
      }
    },
    waiting: () => line.length,
  };
}
