import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { createDice } from '@ingot/lab/sim/dice.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../sim/built.ts';
import { keepDiary, lostPages, powerOnsTooMany, whatIsLost } from './evidence-of-life.ts';
import { type FaultSite, startFaultSite } from './fault-site.ts';
import { bringIn, type Life, liveOnce } from './lifecycle.ts';

const SEED = Number(process.env.INGOT_FAULT_SEED ?? 20260304);
const MACHINES = 4;
const LIVES = 2;
/** A fast host has lived those lives before enough was killed: it goes on until so many were, within bounds. */
const KILLS = 3;
const MOST_LIVES = 20;
/** Both are killed in turns, one every few seconds; the other one serves. */
const BETWEEN_MS: [number, number] = [3000, 6000];

let site: FaultSite;
beforeAll(async () => {
  await ensureBuilt('region');
  site = await startFaultSite({ regions: 2, machines: MACHINES, seed: SEED, pace: [5, 80] });
});
afterAll(() => site?.stop());

/** Kills one region after the other until it is told to end, and counts. */
async function killInTurns(until: AbortSignal, count: { kills: number }): Promise<void> {
  const dice = createDice(SEED);
  for (;;) {
    await sleep(dice.between(...BETWEEN_MS), undefined, { signal: until }).catch(() => undefined);
    if (until.aborted) return;
    const region = site.regions[count.kills % 2];
    await region?.kill();
    count.kills += 1;
    await sleep(dice.between(0, 2000), undefined, { signal: until }).catch(() => undefined);
    await region?.start();
  }
}

/**
 * @fault Two region processes serve one PostgreSQL, and one of them is killed with -9 every few seconds, in turns.
 * @sees The API goes on at the other process; the rack's link comes back there within seconds.
 * @ends Every machine rests where its last action leads, everything acknowledged is there, one power-on for each attempt.
 */
test('machines live their lives while one region or the other is killed', { timeout: 240_000 }, async () => {
  const lives = await Promise.all(site.machines.map((machine) => bringIn(site, machine)));
  const diary = keepDiary(site.api, 200);
  const calm = new AbortController();
  const count = { kills: 0 };
  const killing = killInTurns(calm.signal, count);
  const each = async (life: Life, index: number): Promise<void> => {
    const dice = createDice(SEED + index);
    for (let done = 0; done < LIVES || (count.kills < KILLS && done < MOST_LIVES); done += 1)
      await liveOnce(site, life, dice);
  };
  const ended = await Promise.allSettled(lives.map(each));
  calm.abort();
  await killing;
  await diary.end();
  expect(ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []))).toEqual([]);
  expect(count.kills).toBeGreaterThanOrEqual(KILLS);
  await waitFor('the rack’s link', 10_000, async () => (site.rack.connected() ? true : undefined));
  expect(await whatIsLost(site, lives)).toEqual([]);
  expect(await lostPages(site.api, diary)).toEqual([]);
  expect(lives.map(powerOnsTooMany)).toEqual(lives.map(() => 0));
});
