import { setTimeout as sleep } from 'node:timers/promises';
import { openScreen, type Screen } from '../demo/screen.ts';
import { clock, paint, type Row } from '../demo/view.ts';
import { SIMULATED_IMAGE } from '../sim/site.ts';
import { phasesOf, sumOwn } from '../story/waterfall.ts';
import { parseFaults } from './faults.ts';
import type { FleetMachine } from './machine.ts';
import { carryThrough, enlist, nameBmc } from './operator.ts';
import { type Simulation, startSimulation } from './simulation.ts';

export interface SimulatedDemoOptions {
  checkout: string;
  port: number;
  once: boolean;
  json: boolean;
  seed: number;
  interrupted: Promise<void>;
}

const NAMES = ['amber', 'birch'];
const LIMIT_MS = 600_000;

/** The story of the demo where nobody is root: two simulated machines instead of virtual ones. Returns the exit code. */
export async function runSimulatedDemo(options: SimulatedDemoOptions): Promise<number> {
  const { checkout, port, seed, once, json, interrupted } = options;
  const screen = openScreen(json ? process.stderr : process.stdout);
  const began = performance.now();
  const region = { kind: 'own', port } as const;
  const fleet = { checkout, machines: NAMES.length, seed, vlans: 1, redfish: 0.5, network: null, region };
  const simulation = await startSimulation(fleet);
  simulation.fleet.unleash(parseFaults('', []), 'brisk');
  let enough = false;
  const asked = interrupted.then(() => {
    enough = true;
  });
  try {
    const rows = simulation.fleet.machines.map(
      (machine, at): Row => ({
        name: NAMES[at] ?? `machine ${machine.index}`,
        firmware: `${machine.hardware.model.vendor}, ${machine.hardware.bmc.kind}`,
        doing: 'off',
        since: Date.now(),
        machine: null,
        typical: {},
      }),
    );
    const players = simulation.fleet.machines.map(async (machine, at) => {
      const row = rows[at];
      if (row) await playMachine(simulation, machine, row, once, screen);
    });
    const all = Promise.allSettled(players);
    await watch(simulation, rows, screen, Promise.race([all, asked]));
    if (enough) return 130;
    const results = await all;
    for (const result of results) if (result.status === 'rejected') screen.say(String(result.reason));
    const ok = results.every(({ status }) => status === 'fulfilled');
    const machines = await Promise.all(rows.map((row) => report(simulation, row, screen)));
    if (json) {
      const ownSeconds = sumOwn(machines.flatMap(({ phases }) => phases));
      const totalSeconds = Math.round((performance.now() - began) / 100) / 10;
      process.stdout.write(`${JSON.stringify({ ok, simulated: true, machines, ownSeconds, totalSeconds })}\n`);
    }
    if (!ok || once) return ok ? 0 : 1;
    const { url, admin, apiKey } = simulation;
    screen.say(`
UI       ${url}/      ${admin?.username ?? ''} / ${admin?.password ?? ''}
CLI      INGOT_URL=${url} INGOT_API_KEY=${apiKey} ./ingot machines
more     ./ingot lab sim --help: thousands of them, with faults

Ctrl-C ends it and removes everything.`);
    await asked;
    return 0;
  } finally {
    screen.live([]);
    await simulation.stop();
    screen.say('everything the demo made is removed');
  }
}

async function playMachine(
  simulation: Simulation,
  machine: FleetMachine,
  row: Row,
  once: boolean,
  screen: Screen,
): Promise<void> {
  const now = (doing: string) => {
    row.doing = doing;
    row.since = Date.now();
    if (!screen.interactive) screen.say(`${row.name}: ${doing}`);
  };
  now('switched on by hand, enlisting');
  await enlist(machine, LIMIT_MS);
  await nameBmc(simulation, machine);
  row.machine = await simulation.api.machine(machine.systemId() ?? '');
  now(`enlisted as ${row.machine.hostname}, commissioning`);
  await carryThrough(simulation, machine, 'commission', 'READY', {}, LIMIT_MS);
  now('ready, deploying');
  const nonce = `#cloud-config\nfinal_message: ${machine.hardware.uuid}\n`;
  const request = { image: SIMULATED_IMAGE, userData: nonce };
  await carryThrough(simulation, machine, 'deploy', 'DEPLOYED', request, LIMIT_MS);
  if (machine.firstBoot()?.userData !== nonce) throw new Error(`${row.name} did not read the user-data it was given`);
  now('deployed, user-data read (simulated: there is no system to log in to)');
  if (!once) return;
  now('releasing with erase');
  await carryThrough(simulation, machine, 'release', 'READY', { erase: true }, LIMIT_MS);
  if (machine.disk() !== null) throw new Error(`${row.name} was not erased`);
  now('ready again, erased');
}

/** Repaints once a second until `end`. */
async function watch(simulation: Simulation, rows: Row[], screen: Screen, end: Promise<unknown>): Promise<void> {
  let ended = false;
  void end.then(() => {
    ended = true;
  });
  while (!ended) {
    for (const row of rows) {
      if (row.machine === null) continue;
      row.machine = await simulation.api.machine(row.machine.systemId).catch(() => row.machine);
    }
    screen.live(paint(rows, Date.now(), screen.width));
    await Promise.race([sleep(1000), end]);
  }
  screen.live([]);
}

async function report({ api }: Simulation, row: Row, screen: Screen) {
  const systemId = row.machine?.systemId;
  const attempts = systemId === undefined ? [] : await api.attempts(systemId);
  const phases = phasesOf(attempts);
  const seconds = Math.round(phases.reduce((sum, phase) => sum + phase.seconds, 0) * 10) / 10;
  const finalStatus = systemId === undefined ? 'not enlisted' : (await api.machine(systemId)).statusName;
  screen.say(`\n${row.name} (${row.firmware}): ${finalStatus} after ${clock(seconds)}`);
  for (const { name, seconds: took, own } of phases) {
    screen.say(`  ${name.padEnd(44)} ${took.toFixed(1).padStart(6)} s   own ${own.toFixed(1)}`);
  }
  return { name: row.name, firmware: row.firmware, finalStatus, phases, seconds };
}
