import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FleetMachine } from '@ingot/lab/fleet/machine.ts';
import { type Simulation, startSimulation } from '@ingot/lab/fleet/simulation.ts';
import { createDice } from '@ingot/lab/sim/dice.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout, ensureBuilt } from '../sim/built.ts';
import { keepDiary, lostPages, powerOnsTooMany, whatIsLost } from './evidence-of-life.ts';
import { bringIn, type Life, type LivingMachine, type LivingSite, liveOnce } from './lifecycle.ts';
import { sharedList } from './shared-list.ts';
import { agentBlow, type Blow, startStorm } from './storm.ts';

// Half of a hundred; the other half is in kill. INGOT_FAULT_LIFECYCLES=100 for a longer run, INGOT_FAULT_SEED for another one.
const LIFECYCLES = Number(process.env.INGOT_FAULT_LIFECYCLES ?? 50);
const SEED = Number(process.env.INGOT_FAULT_SEED ?? 20260306);
const MACHINES = Math.min(20, Math.max(2, Math.ceil(LIFECYCLES / 5)));
const LIMIT_MS = 300_000 + LIFECYCLES * 30_000;
/** The supervisor waits twice as long before each further start; 0.2 to 12.8 s for these. */
const MOST_KILLS = 7;

type Named = FleetMachine & LivingMachine;

let simulation: Simulation;
beforeAll(async () => {
  await ensureBuilt('region', 'rack', 'ingot');
  simulation = await startSimulation({
    checkout,
    seed: SEED,
    machines: MACHINES,
    vlans: 1,
    redfish: 0,
    // Two that look for the first free one at the same moment find the same.
    network: 130 + 2 * (SEED % 50),
    region: { kind: 'own', port: null },
  });
}, LIMIT_MS);
afterAll(() => simulation?.stop());

/** Pids of Ingot's processes whose command line names this program of the build. */
async function pidsOf(program: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await simulation.processes()) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.split('\0').includes(path.join(checkout, 'dist', program))) found.push(pid);
  }
  return found;
}

/** PostgreSQL outlives a killed region, and is then nobody's child. */
async function pidOfPostgres(): Promise<number[]> {
  const file = path.join(simulation.stateDir, 'postgres/15/postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  return Number.isInteger(pid) && pid > 1 ? [pid] : [];
}

function kill9(name: string, pids: () => Promise<number[]>, count: Map<string, number>): Blow {
  return {
    name,
    most: MOST_KILLS,
    async strike() {
      for (const pid of await pids()) {
        try {
          process.kill(pid, 'SIGKILL');
          count.set(name, (count.get(name) ?? 0) + 1);
        } catch {
          // Killed before, and not started again yet.
        }
      }
    },
  };
}

/**
 * @fault kill -9 of region, rack, PostgreSQL and the agents in the machines at seeded random moments, all of them real
 * processes of `ingot up` but the agents, while machines are commissioned, tested, deployed, rescued and released.
 * @sees The supervisor starts what was killed; for seconds the API is away, or machines get no boot script and no answer.
 * @ends Every machine rests where its last action leads, everything acknowledged is there, no power-on too many: a rack
 * that dies between order and answer looks at the BMC first when it is there again.
 */
test('machines live their lives while region, rack, PostgreSQL and agents are killed', {
  timeout: LIMIT_MS,
}, async () => {
  const { api, fleet } = simulation;
  const machines: Named[] = fleet.machines.map((machine) =>
    Object.assign(machine, { press: async () => machine.power('on') }),
  );
  const all = sharedList(api);
  const site: LivingSite<Named> = {
    api,
    async find(machine) {
      const systemId = machine.systemId();
      return systemId === null ? undefined : (await all().catch(() => undefined))?.get(systemId);
    },
  };
  const dice = createDice(SEED);
  const lives = await Promise.all(machines.map((machine) => bringIn(site, machine)));
  const diary = keepDiary(api, 200);
  const agents = { agents: 0 };
  const kills = new Map(['rack', 'region', 'postgres'].map((name) => [name, 0]));
  const storm = startStorm({
    kinds: [
      kill9('rack', () => pidsOf('rack.mjs'), kills),
      kill9('region', () => pidsOf('region.mjs'), kills),
      kill9('postgres', pidOfPostgres, kills),
      agentBlow(machines, dice, agents, 2 * MOST_KILLS),
    ],
    dice,
    betweenMs: [500, 3000],
    most: 8 + LIFECYCLES,
    answers: () => api.racks(),
  });
  const spared = () => Object.entries({ ...Object.fromEntries(kills), ...agents }).filter(([, times]) => times === 0);
  const each = async (life: Life<Named>, index: number): Promise<void> => {
    const own = createDice(SEED + index);
    for (let done = index; done < LIFECYCLES || (spared().length > 0 && done < 20 * MACHINES); done += MACHINES) {
      await liveOnce(site, life, own);
    }
  };
  const ended = await Promise.allSettled(lives.map(each));
  await storm.end();
  await diary.end();
  const failed = ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []));
  expect(failed, `seed ${SEED}, after ${storm.blows.join(', ')}`).toEqual([]);
  expect(spared()).toEqual([]);
  expect(await whatIsLost(site, lives)).toEqual([]);
  expect(await lostPages(api, diary)).toEqual([]);
  expect(diary.acknowledged.length).toBeGreaterThan(3);
  expect(lives.map(powerOnsTooMany)).toEqual(lives.map(() => 0));
  const retries = lives.flatMap(({ failures }) => failures);
  const counted = [...kills].map(([name, times]) => `${name} ${times}`).join(', ');
  console.log(`seed ${SEED}: ${LIFECYCLES} lives; killed: ${counted}, agents ${agents.agents}; retries: ${retries}`);
});
