import type { RegionDeps } from '../deps.ts';
import { cleanUp } from './cleanup.ts';
import { convergeOnce } from './converge.ts';
import { createDeadlineSweep } from './deadlines.ts';
import { pollPower } from './power-poll.ts';

export interface Loops {
  /** There may be work now: do not wait for the next round. */
  wake(): void;
  /** Ends the loops; running rounds are waited for. */
  stop(): Promise<void>;
}

interface Loop {
  wake(): void;
  stop(): Promise<void>;
}

/** Runs `round` again and again, never twice at once, `everyMs` after the end of the last one. Errors are logged. */
function repeat(name: string, everyMs: number, round: () => Promise<unknown>, log: RegionDeps['log']): Loop {
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  function schedule(delay: number): void {
    if (stopped) return;
    if (timer) clearTimeout(timer);
    timer = setTimeout(run, delay);
  }
  function run(): void {
    timer = null;
    again = false;
    running = round()
      .then(
        () => undefined,
        (error: unknown) => log.error({ err: error }, `${name} failed; trying again`),
      )
      .then(() => {
        running = null;
        schedule(again ? 0 : everyMs);
      });
  }
  schedule(everyMs);
  return {
    wake() {
      if (running) again = true;
      else schedule(0);
    },
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await running;
    },
  };
}

/** Starts what a region process does by itself: convergence, deadlines, power polling, clean-up. */
export function startLoops(deps: RegionDeps): Loops {
  const { log } = deps;
  const converge = repeat('convergence', 250, () => convergeOnce(deps), log);
  const others = [
    repeat('the deadline sweep', 1000, createDeadlineSweep(deps), log),
    repeat('power polling', 15_000, () => pollPower(deps), log),
    repeat('clean-up', 300_000, () => cleanUp(deps), log),
  ];
  return {
    wake: converge.wake,
    async stop() {
      await Promise.all([converge, ...others].map((loop) => loop.stop()));
    },
  };
}
