import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { Dice } from '@ingot/lab/sim/dice.ts';
import type { FaultSite } from './fault-site.ts';

export type Blow = 'region' | 'postgres' | 'region and postgres' | 'cable';

export interface Storm {
  /** What was done so far. */
  blows: Blow[];
  /** How long the API was away at most after the region process was there again. */
  longestOutageMs(): number;
  /** Ends it with everything running and mended. Throws what went wrong in it. */
  end(): Promise<void>;
}

const BACK_LIMIT_MS = 60_000;

/** kill -9 of the first region and of PostgreSQL, and cuts of the rack's cable, at moments that the dice choose; at most `most` blows. */
export function startStorm(site: FaultSite, dice: Dice, betweenMs: [number, number], most: number): Storm {
  const blows: Blow[] = [];
  let longestOutageMs = 0;
  const stopping = new AbortController();
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  const region = site.regions[0];

  async function strike(blow: Blow): Promise<void> {
    blows.push(blow);
    if (blow === 'cable') {
      site.cable.cut();
      await pause(dice.between(200, 3000));
      site.cable.mend();
      return;
    }
    const kills = [
      ...(blow === 'postgres' ? [] : [region?.kill()]),
      ...(blow === 'region' ? [] : [site.killPostgres()]),
    ];
    await Promise.all(kills);
    await pause(dice.between(0, 1000));
    await region?.start();
    // A storm without a pause shows only that nothing can work in it.
    const began = performance.now();
    await waitFor(`the API after kill -9 of ${blow}`, BACK_LIMIT_MS, () => site.api.racks().catch(() => undefined), 50);
    const awayMs = performance.now() - began;
    longestOutageMs = Math.max(longestOutageMs, awayMs);
    // On a busy host a start takes long; there has to be as much time in which something can work.
    await pause(awayMs);
  }

  async function blowOn(): Promise<void> {
    while (!stopping.signal.aborted && blows.length < most) {
      await pause(dice.between(...betweenMs));
      if (stopping.signal.aborted) return;
      await strike(dice.pick(['region', 'postgres', 'region and postgres', 'cable']));
    }
  }

  const over = blowOn();
  // Looked at by end(); until then it is nobody's.
  over.catch(() => undefined);
  return {
    blows,
    longestOutageMs: () => longestOutageMs,
    async end() {
      stopping.abort();
      await over;
    },
  };
}
