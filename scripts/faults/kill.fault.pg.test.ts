import { createDice } from '@ingot/lab/sim/dice.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../sim/built.ts';
import { keepDiary, lostPages, powerOnsTooMany, whatIsLost } from './evidence-of-life.ts';
import { type FaultSite, startFaultSite } from './fault-site.ts';
import { bringIn, type Life, liveOnce } from './lifecycle.ts';
import { agentBlow, siteBlows, startStorm } from './storm.ts';

// Half of a hundred; the other half is in killed-under-up. INGOT_FAULT_LIFECYCLES=100 for a longer run, INGOT_FAULT_SEED for another one.
const LIFECYCLES = Number(process.env.INGOT_FAULT_LIFECYCLES ?? 50);
const SEED = Number(process.env.INGOT_FAULT_SEED ?? 20260303);
const MACHINES = Math.min(20, Math.max(2, Math.ceil(LIFECYCLES / 5)));
const LIMIT_MS = 240_000 + LIFECYCLES * 30_000;

let site: FaultSite;
beforeAll(async () => {
  await ensureBuilt('region');
  site = await startFaultSite({ regions: 1, machines: MACHINES, seed: SEED, pace: [5, 60] });
});
afterAll(() => site?.stop());

/**
 * @fault kill -9 of region, PostgreSQL and the agents in the machines, and cuts of the rack's link, every few seconds at
 * seeded random moments, while machines are commissioned, tested, deployed, rescued and released.
 * @sees The API is away for seconds at a time; a machine's page goes on where it was.
 * @ends Every machine rests where its last action leads, everything acknowledged is there, one power-on for each attempt.
 */
test('machines live their lives while everything around them is killed', { timeout: LIMIT_MS }, async () => {
  const dice = createDice(SEED);
  const diary = keepDiary(site.api, 200);
  const lives = await Promise.all(site.machines.map((machine) => bringIn(site, machine)));
  const killed = { agents: 0 };
  const storm = startStorm({
    kinds: [...siteBlows(site, dice), agentBlow(site.machines, dice, killed, LIFECYCLES)],
    dice,
    betweenMs: [500, 5000],
    most: 4 + LIFECYCLES,
    answers: () => site.api.racks(),
  });
  const isSpared = () => storm.spared().length > 0 || killed.agents === 0;
  const each = async (life: Life, index: number): Promise<void> => {
    const own = createDice(SEED + index);
    // A fast host lives on until everything was killed.
    for (let done = index; done < LIFECYCLES || (isSpared() && done < 20 * MACHINES); done += MACHINES) {
      await liveOnce(site, life, own);
    }
  };
  const ended = await Promise.allSettled(lives.map(each));
  await storm.end();
  await diary.end();
  const failed = ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []));
  expect(failed, `seed ${SEED}, after ${storm.blows.join(', ')}`).toEqual([]);
  expect(storm.spared()).toEqual([]);
  expect(killed.agents).toBeGreaterThan(0);
  expect(await whatIsLost(site, lives)).toEqual([]);
  expect(await lostPages(site.api, diary)).toEqual([]);
  expect(diary.acknowledged.length).toBeGreaterThan(3);
  expect(lives.map(powerOnsTooMany)).toEqual(lives.map(() => 0));
  const retries = lives.flatMap(({ failures }) => failures);
  const struck = [...new Set(storm.blows)].map((name) => `${name} ${storm.blows.filter((one) => one === name).length}`);
  const seconds = (storm.longestOutageMs() / 1000).toFixed(1);
  console.log(
    `seed ${SEED}: ${LIFECYCLES} lives; struck: ${struck.join(', ')}; ${killed.agents} agents killed, away ${seconds} s at most, retries: ${retries}`,
  );
});
