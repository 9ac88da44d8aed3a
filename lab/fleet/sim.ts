import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openScreen, type Screen } from '../demo/screen.ts';
import { readSimArguments, SIM_USAGE, type SimArguments, SimUsage } from './arguments.ts';
import { faultOf } from './faults.ts';
import { switchOnAll } from './hand.ts';
import { goalOf, prepare } from './operator.ts';
import { type Simulation, startSimulation } from './simulation.ts';

const LOOK_MS = 1000;
const TELL_EVERY = 10;

/** `ingot lab sim`: returns the exit code. `interrupted` resolves when the person has seen enough. */
export async function runSim(checkout: string, argv: readonly string[], interrupted: Promise<void>): Promise<number> {
  let options: SimArguments | null;
  try {
    options = readSimArguments(argv, randomInt(2 ** 31));
  } catch (error) {
    if (!(error instanceof SimUsage)) throw error;
    process.stderr.write(`lab sim: ${error.message}\n`);
    return 2;
  }
  if (options === null) {
    process.stdout.write(`${SIM_USAGE}\n`);
    return 0;
  }
  const screen = openScreen(options.json ? process.stderr : process.stdout);
  screen.say(`seed ${options.seed}: --seed ${options.seed} gives the same machines and the same faults again`);
  const enough = new AbortController();
  void interrupted.then(() => enough.abort());
  const simulation = await startSimulation({ checkout, ...options });
  try {
    return await play(simulation, options, screen, enough.signal);
  } finally {
    screen.live([]);
    screen.say('stopping');
    await simulation.stop();
  }
}

async function play(
  simulation: Simulation,
  options: SimArguments,
  screen: Screen,
  enough: AbortSignal,
): Promise<number> {
  const { fleet } = simulation;
  if (options.prepared !== null && !(await prepareAll(simulation, options, options.prepared, screen, enough))) {
    return enough.aborted ? 0 : 1;
  }
  fleet.unleash(options.faults, options.timing);
  const hand = options.prepared === null ? switchOnAll(simulation) : null;
  for (const line of invitation(simulation, options)) screen.say(line);
  if (options.json) process.stdout.write(`${JSON.stringify(description(simulation, options))}\n`);
  let ended: string | null = null;
  void simulation.broken.then((how) => {
    ended = how;
  });
  let last = '';
  for (let tick = 0; !enough.aborted && ended === null; tick += 1) {
    const line = `${statuses(simulation)}${hand && hand.left() > 0 ? ` · ${hand.left()} not enlisted` : ''}`;
    screen.live([line]);
    if (!screen.interactive && line !== last && tick % TELL_EVERY === 0) {
      screen.say(line);
      last = line;
    }
    await sleep(LOOK_MS, undefined, { signal: enough }).catch(() => undefined);
  }
  hand?.stop();
  if (ended === null) return 0;
  screen.say(ended);
  return 1;
}

/** False when somebody had enough, or when a machine did not get there. */
async function prepareAll(
  simulation: Simulation,
  options: SimArguments,
  prepared: NonNullable<SimArguments['prepared']>,
  screen: Screen,
  enough: AbortSignal,
): Promise<boolean> {
  const { machines } = simulation.fleet;
  const goals = machines.map((machine) => ({ machine, goal: goalOf(prepared, options.seed, machine.index) }));
  let done = 0;
  const failures: string[] = [];
  const all = prepare(simulation, goals, options.parallel, ({ machine, failure }) => {
    done += 1;
    if (failure !== null) failures.push(`machine ${machine.index}: ${failure}`);
    screen.live([`preparing: ${done} of ${machines.length} · ${statuses(simulation)}`]);
    if (!screen.interactive && done % 100 === 0) screen.say(`prepared ${done} of ${machines.length}`);
  });
  const stopped = new Promise<null>((resolve) => enough.addEventListener('abort', () => resolve(null), { once: true }));
  if ((await Promise.race([all, stopped])) === null) return false;
  for (const failure of failures.slice(0, 20)) screen.say(failure);
  if (failures.length > 0) screen.say(`${failures.length} of ${machines.length} machines could not be prepared`);
  return failures.length === 0;
}

function statuses({ watch }: Simulation): string {
  const counts = new Map<string, number>();
  for (const { status } of watch.all()) counts.set(status, (counts.get(status) ?? 0) + 1);
  if (counts.size === 0) return 'no machine is known yet';
  return [...counts].map(([status, count]) => `${count} ${status.toLowerCase().replaceAll('_', ' ')}`).join(' · ');
}

function invitation(simulation: Simulation, options: SimArguments): string[] {
  const { url, admin, apiKey, fleet } = simulation;
  const broken = new Map<string, number>();
  for (const { fault } of fleet.machines) if (fault) broken.set(fault.kind, (broken.get(fault.kind) ?? 0) + 1);
  const faults = [...broken].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return [
    '',
    `machines   ${fleet.machines.length} in ${fleet.plan.vlans.length} VLAN(s)${faults === '' ? '' : `; of them ${faults}`}`,
    `Ingot      ${url}/${admin ? `      ${admin.username} / ${admin.password}` : ''}`,
    `ingot      INGOT_URL=${url} INGOT_API_KEY=${apiKey} ./ingot machines`,
    `maas       maas login sim ${url}/MAAS ${apiKey}`,
    `terraform  provider "maas" { api_url = "${url}/MAAS", api_key = "${apiKey}" }`,
    ...(options.prepared === null ? ['', 'The machines are being switched on: accept them as they enlist.'] : []),
    '',
    'Ctrl-C ends it and removes everything.',
  ];
}

/** For programs: everything that the invitation says, and each machine. */
function description(simulation: Simulation, options: SimArguments): object {
  const { url, admin, apiKey, fleet, watch, stateDir } = simulation;
  return {
    url,
    apiKey,
    admin,
    stateDir,
    seed: options.seed,
    machines: fleet.machines.map((machine) => {
      const { hardware, fault, index } = machine;
      const seen = watch.of(machine.systemId() ?? '');
      return {
        index,
        systemId: machine.systemId(),
        hostname: seen?.hostname ?? null,
        status: seen?.status ?? null,
        serial: hardware.serial,
        macs: hardware.ports.map(({ mac }) => mac),
        bmc: { kind: hardware.bmc.kind, address: fleet.plan.bmcAddress(index) },
        fault: (fault ?? faultOf(options.faults, options.seed, index))?.kind ?? null,
      };
    }),
  };
}
