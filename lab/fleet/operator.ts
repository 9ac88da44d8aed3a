import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionRequest } from '@ingot/contract/native.ts';
import { createDice } from '../sim/dice.ts';
import { SIMULATED_IMAGE } from '../sim/site.ts';
import { ApiRefusal } from '../story/native-client.ts';
import { REDFISH_PORT } from './address-plan.ts';
import type { FleetMachine } from './machine.ts';
import type { Simulation } from './simulation.ts';
import type { Seen } from './watch.ts';

export type Goal = 'new' | 'ready' | 'deployed';
export type Prepared = 'ready' | 'deployed' | 'mixed';

export interface Outcome {
  machine: FleetMachine;
  /** Null: it got there. */
  failure: string | null;
}

/** A machine's life takes seconds at zero delay; a host that carries a thousand at once is slower. */
const STEP_LIMIT_MS = 600_000;
const ENLIST_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 50;
/** The region lets 64 of a VLAN wait to be accepted. */
const ENLISTING_A_VLAN = 40;
const API_TRIES = 20;
const API_PAUSE_MS = 500;

/** Mixed: about four in ten deployed, one in ten not yet accepted; the seed says which. */
export function goalOf(prepared: Prepared, seed: number, index: number): Goal {
  if (prepared !== 'mixed') return prepared;
  const share = createDice(Math.imul(seed, 0x7feb352d) ^ index).next();
  return share < 0.4 ? 'deployed' : share < 0.9 ? 'ready' : 'new';
}

/** Brings machines to their goals as people would: button, accept, deploy. At most `parallel` at a time. */
export async function prepare(
  simulation: Simulation,
  goals: readonly { machine: FleetMachine; goal: Goal }[],
  parallel: number,
  onDone: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const slots = new Map<number, Slots>();
  const waiting = [...goals];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { machine, goal } = next;
      const vlan = slots.get(machine.vlan.number) ?? createSlots(ENLISTING_A_VLAN);
      slots.set(machine.vlan.number, vlan);
      const failure = await bring(simulation, machine, goal, vlan).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      const outcome = { machine, failure };
      outcomes.push(outcome);
      onDone(outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, goals.length) }, worker));
  return outcomes;
}

async function bring(simulation: Simulation, machine: FleetMachine, goal: Goal, vlan: Slots): Promise<void> {
  await vlan.take();
  let commission: number;
  try {
    await enlist(machine);
    await nameBmc(simulation, machine);
    // One that stays unaccepted does not hold up the others of its VLAN.
    if (goal === 'new') return;
    commission = await act(simulation, machine, 'commission');
  } finally {
    vlan.giveBack();
  }
  await reach(simulation, machine, 'READY', commission);
  if (goal === 'deployed') await carryThrough(simulation, machine, 'deploy', 'DEPLOYED', { image: SIMULATED_IMAGE });
}

/** An action and the wait for what it leads to. */
export async function carryThrough(
  simulation: Simulation,
  machine: FleetMachine,
  action: string,
  status: string,
  request: ActionRequest = {},
  limitMs = STEP_LIMIT_MS,
): Promise<Seen> {
  return reach(simulation, machine, status, await act(simulation, machine, action, request), limitMs);
}

/** What cannot be asked from inside of the machine, somebody types in. */
export async function nameBmc(simulation: Simulation, machine: FleetMachine): Promise<void> {
  const { kind, user, password } = machine.hardware.bmc;
  if (kind !== 'redfish') return;
  const address = simulation.fleet.plan.bmcAddress(machine.index);
  await simulation.api.patch(named(machine), {
    powerType: 'redfish',
    powerParameters: { power_address: `https://${address}:${REDFISH_PORT}`, power_user: user, power_pass: password },
  });
}

/** Presses the button and waits until the region knows the machine and it is off again. */
export async function enlist(machine: FleetMachine, limitMs = ENLIST_LIMIT_MS): Promise<void> {
  machine.power('on');
  const deadline = performance.now() + limitMs;
  while (machine.systemId() === null || machine.isOn()) {
    if (performance.now() > deadline) {
      throw new Error(`machine ${machine.index} did not enlist: ${machine.refusal() ?? 'it hangs or waits'}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * An action of the native API, which gives the number of its attempt. A region that is busy or away for a moment is asked
 * again, but only when it is seen not to have begun: an answer that got lost must not switch a machine twice.
 */
export async function act(
  simulation: Simulation,
  machine: FleetMachine,
  action: string,
  request: ActionRequest = {},
): Promise<number> {
  const { api } = simulation;
  const systemId = named(machine);
  const before = simulation.watch.of(systemId)?.attempt?.id ?? 0;
  for (let left = API_TRIES; ; left -= 1) {
    try {
      const { attempt } = await api.act(systemId, action, request);
      return attempt?.id ?? 0;
    } catch (error) {
      const isFinal = error instanceof ApiRefusal && error.status < 500 && error.status !== 429;
      if (isFinal || left <= 1) throw error;
    }
    await sleep(API_PAUSE_MS);
    const now = await api.machine(systemId).catch(() => null);
    const begun = now?.attempt?.id ?? 0;
    if (begun > before) return begun;
  }
}

/** Waits for a status and the end of that attempt, or a later one; a failed one rejects at once with its code. */
export async function reach(
  simulation: Simulation,
  machine: FleetMachine,
  status: string,
  attemptId: number,
  limitMs = STEP_LIMIT_MS,
): Promise<Seen> {
  const over = ({ status: now, attempt }: Seen) =>
    attempt?.ended === true && attempt.id >= attemptId && (now === status || attempt.code !== null);
  const seen = await simulation.watch.until(named(machine), status, limitMs, over);
  if (seen.status === status) return seen;
  const inside = `it is ${machine.isOn() ? 'on' : 'off'}${machine.refusal() ? `, and was told: ${machine.refusal()}` : ''}`;
  throw new Error(`${seen.hostname} is ${seen.status}: ${seen.attempt?.code ?? '?'}; ${inside}`);
}

function named(machine: FleetMachine): string {
  const systemId = machine.systemId();
  if (systemId === null) throw new Error(`machine ${machine.index} has not enlisted`);
  return systemId;
}

interface Slots {
  take(): Promise<void>;
  giveBack(): void;
}

function createSlots(free: number): Slots {
  let left = free;
  const waiting: (() => void)[] = [];
  return {
    take: () => {
      if (left > 0) {
        left -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    giveBack: () => {
      const next = waiting.shift();
      if (next) next();
      else left += 1;
    },
  };
}
