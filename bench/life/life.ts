import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { FleetMachine } from '@ingot/lab/fleet/machine.ts';
import { act, prepare, reach } from '@ingot/lab/fleet/operator.ts';
import { type Simulation, startSimulation } from '@ingot/lab/fleet/simulation.ts';
import { SIMULATED_IMAGE } from '@ingot/lab/sim/site.ts';
import { cpuSeconds, pss } from '../fleet/memory.ts';
import type { Readings } from './reader-program.ts';

export interface LifeResult {
  /** Machines that did not get where they should, each with why. */
  lost: string[];
  highestPssMb: number;
  simulatorMb: number;
  reads: number;
  /** Reads that got no answer. */
  readsRefused: number;
  readMedianMs: number;
  readP99Ms: number;
  seconds: Record<Stage, number>;
  /** Of Ingot's processes. */
  cpuSeconds: Record<Stage, number>;
}

type Stage = 'commission' | 'deploy' | 'release';

export interface LifeOptions {
  root: string;
  machines: number;
  seed: number;
  /** The bundled reader-program. */
  readerProgram: string;
  say(text: string): void;
}

const VLANS = 4;
const ENLISTING = 150;
/** Calls of the API under way at a time, as a script with some patience would have them. */
const CALLS = 32;
const STAGE_LIMIT_MS = 3_600_000;
const SAMPLE_MS = 1000;
const READER_ANSWERS_MS = 30_000;
const MB = 1e6;
const MIB = 2 ** 20;

/** The whole life of a fleet; machines are brought in before, and only what follows is measured. */
export async function life(options: LifeOptions): Promise<LifeResult> {
  const { root, machines, seed, say } = options;
  const simulation = await startSimulation({
    checkout: root,
    machines,
    seed,
    vlans: VLANS,
    redfish: 0,
    network: null,
    region: { kind: 'own', port: null },
  });
  try {
    say(`enlisting ${machines} machines`);
    const lost: string[] = [];
    const goals = simulation.fleet.machines.map((machine) => ({ machine, goal: 'ready' as const }));
    await prepare(simulation, goals, ENLISTING, ({ machine, failure }) => {
      if (failure !== null) lost.push(`machine ${machine.index}: ${failure}`);
    });
    const meter = startMeter(simulation, options.readerProgram);
    const seconds = { commission: 0, deploy: 0, release: 0 };
    const cpu = { commission: 0, deploy: 0, release: 0 };
    const image = { image: SIMULATED_IMAGE };
    const stages = [
      { stage: 'commission', request: {}, status: 'READY' },
      { stage: 'deploy', request: image, status: 'DEPLOYED' },
      { stage: 'release', request: { erase: true }, status: 'READY' },
    ] as const;
    for (const { stage, request, status } of stages) {
      say(`${stage}: all at once`);
      const began = performance.now();
      const cpuBefore = await cpuOf(simulation);
      lost.push(...(await everyone(simulation, stage, request, status)));
      seconds[stage] = (performance.now() - began) / 1000;
      cpu[stage] = (await cpuOf(simulation)) - cpuBefore;
      say(`${stage}: ${seconds[stage].toFixed(0)} s, ${cpu[stage].toFixed(0)} CPU s, ${lost.length} lost`);
    }
    const { pssMb, simulatorMb, refused, reads } = await meter.stop();
    const at = (share: number) => reads[Math.min(reads.length - 1, Math.floor(reads.length * share))] ?? Number.NaN;
    return {
      lost,
      highestPssMb: pssMb,
      simulatorMb,
      reads: reads.length,
      readsRefused: refused,
      readMedianMs: at(0.5),
      readP99Ms: at(0.99),
      seconds,
      cpuSeconds: cpu,
    };
  } finally {
    await simulation.stop();
  }
}

/** One action on every machine; returns who did not get there. */
async function everyone(simulation: Simulation, action: Stage, request: object, status: string): Promise<string[]> {
  const lost: string[] = [];
  const waiting = [...simulation.fleet.machines];
  const arrivals: Promise<void>[] = [];
  const miss = (machine: FleetMachine, error: unknown) =>
    void lost.push(`${action} of machine ${machine.index}: ${error instanceof Error ? error.message : String(error)}`);
  const caller = async () => {
    for (let machine = waiting.shift(); machine !== undefined; machine = waiting.shift()) {
      const mine = machine;
      try {
        const attempt = await act(simulation, mine, action, request);
        const arrived = reach(simulation, mine, status, attempt, STAGE_LIMIT_MS);
        arrivals.push(
          arrived.then(
            () => undefined,
            (error: unknown) => miss(mine, error),
          ),
        );
      } catch (error) {
        miss(mine, error);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS }, caller));
  await Promise.all(arrivals);
  return lost;
}

/** Memory every second, and one reader that looks at one machine after the other. */
function startMeter(simulation: Simulation, readerProgram: string) {
  let running = true;
  let pssMb = 0;
  let simulatorMb = 0;
  const systemIds = simulation.fleet.machines.flatMap((machine) => machine.systemId() ?? []);
  const reader = fork(readerProgram, [JSON.stringify(simulation.access), ...systemIds]);
  const killWithUs = () => void reader.kill('SIGKILL');
  process.once('exit', killWithUs);
  const memory = (async () => {
    while (running) {
      pssMb = Math.max(pssMb, await pssOf(simulation));
      simulatorMb = Math.max(simulatorMb, process.memoryUsage().rss / MB);
      await pause(SAMPLE_MS);
    }
  })();
  return {
    stop: async () => {
      running = false;
      const told = once(reader, 'message', { signal: AbortSignal.timeout(READER_ANSWERS_MS) });
      reader.send('stop');
      const [{ reads, refused }]: [Readings] = (await told) as [Readings];
      process.off('exit', killWithUs);
      await memory;
      return { pssMb, simulatorMb, refused, reads: reads.sort((a, b) => a - b) };
    },
  };
}

async function pssOf(simulation: Simulation): Promise<number> {
  const pids = await simulation.processes();
  // A backend of PostgreSQL may end between the two looks.
  const shares = await Promise.all(pids.map((pid) => pss(pid).catch(() => 0)));
  return (shares.reduce((sum, mib) => sum + mib, 0) * MIB) / MB;
}

async function cpuOf(simulation: Simulation): Promise<number> {
  const spent = await Promise.all((await simulation.processes()).map((pid) => cpuSeconds(pid).catch(() => 0)));
  return spent.reduce((sum, seconds) => sum + seconds, 0);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
