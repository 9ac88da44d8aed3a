import { decide } from './decide.ts';
import { ADMIN, AGENT, context, machineIn, NOW, SYSTEM, TIMER } from './fixture.ts';
import type { Command, Decision, MachineState } from './model.ts';
import { STATUSES, type Status } from './status.ts';
import { hasWork } from './transitions.ts';

/** One column of the ledger: a command as it reaches a machine in the situation that its name says. */
interface Situation {
  name: string;
  command: (machine: MachineState) => Command;
  machine?: (status: Status) => MachineState;
  now?: number;
}

const attemptOf = (machine: MachineState) => machine.attempt?.id ?? 0;

function inPhase(status: Status, phase: 'agent' | 'power'): MachineState {
  const machine = machineIn(status);
  const attempt = machine.attempt === null ? null : { ...machine.attempt, phase };
  return { ...machine, attempt };
}

/** Work whose BMC call is outstanding. Releasing and leaving rescue mode wait for "off", the rest for a start. */
function awaitingPower(status: Status): MachineState {
  const off = status === 'RELEASING' || status === 'EXITING_RESCUE_MODE';
  if (off) return machineIn(status);
  return hasWork(status) ? { ...inPhase(status, 'power'), powerWant: 'cycle', nextAt: NOW } : machineIn(status);
}

const plain = (type: 'accept' | 'commission' | 'test' | 'abort' | 'allocate' | 'release' | 'rescue'): Situation => ({
  name: type,
  command: () => ({ type, actor: ADMIN }),
});

const SITUATIONS: readonly Situation[] = [
  plain('accept'),
  plain('commission'),
  plain('test'),
  plain('abort'),
  plain('allocate'),
  {
    name: 'deploy',
    command: () => ({
      type: 'deploy',
      actor: ADMIN,
      osystem: 'debian',
      distroSeries: 'bookworm',
      imageAvailable: true,
    }),
  },
  plain('release'),
  {
    name: 'release when off',
    command: () => ({ type: 'release', actor: ADMIN }),
    machine: (status) => machineIn(status, { powerState: 'off' }),
  },
  { name: 'release with erase', command: () => ({ type: 'release', actor: ADMIN, erase: true }) },
  plain('rescue'),
  { name: 'exit-rescue', command: () => ({ type: 'exit-rescue', actor: ADMIN }) },
  { name: 'mark-broken', command: () => ({ type: 'mark-broken', actor: ADMIN }) },
  { name: 'mark-fixed', command: () => ({ type: 'mark-fixed', actor: ADMIN }) },
  { name: 'mark-failed', command: () => ({ type: 'mark-failed', actor: ADMIN }) },
  { name: 'override-failed-testing', command: () => ({ type: 'override-failed-testing', actor: ADMIN }) },
  {
    name: 'override-failed-testing of a deployed one',
    command: () => ({ type: 'override-failed-testing', actor: ADMIN }),
    machine: (status) => machineIn(status, { osystem: 'debian' }),
  },
  { name: 'lock', command: () => ({ type: 'lock', actor: ADMIN }) },
  { name: 'unlock', command: () => ({ type: 'unlock', actor: ADMIN }) },
  {
    name: 'unlock when locked',
    command: () => ({ type: 'unlock', actor: ADMIN }),
    machine: (status) => machineIn(status, { locked: true }),
  },
  { name: 'power-on', command: () => ({ type: 'power-on', actor: ADMIN }) },
  { name: 'power-off', command: () => ({ type: 'power-off', actor: ADMIN }) },
  { name: 'delete', command: () => ({ type: 'delete', actor: ADMIN }) },
  { name: 'enlisted', command: () => ({ type: 'enlisted', actor: { kind: 'rack', rackId: 'r1' } }) },
  {
    name: 'agent done, ok',
    command: (machine) => ({ type: 'agent-done', actor: AGENT, attemptId: attemptOf(machine), outcome: 'ok' }),
    machine: (status) => inPhase(status, 'agent'),
  },
  {
    name: 'agent done, ok, enlisting',
    command: (machine) => ({ type: 'agent-done', actor: AGENT, attemptId: attemptOf(machine), outcome: 'ok' }),
    machine: (status) => ({ ...inPhase(status, 'agent'), enlisting: true }),
  },
  {
    name: 'agent done, tests follow',
    command: (machine) => ({
      type: 'agent-done',
      actor: AGENT,
      attemptId: attemptOf(machine),
      outcome: 'ok',
      testing: true,
    }),
    machine: (status) => inPhase(status, 'agent'),
  },
  {
    name: 'agent done, failed',
    command: (machine) => ({ type: 'agent-done', actor: AGENT, attemptId: attemptOf(machine), outcome: 'failed' }),
    machine: (status) => inPhase(status, 'agent'),
  },
  {
    name: 'installed',
    command: (machine) => ({ type: 'installed', actor: AGENT, attemptId: attemptOf(machine) }),
  },
  { name: 'user-data read by the deployed system', command: () => ({ type: 'instance-user-data', actor: AGENT }) },
  {
    name: 'deadline passed',
    command: () => ({ type: 'deadline', actor: TIMER }),
    now: NOW + 3_600_000,
  },
  {
    name: 'seen off',
    command: () => ({ type: 'power-observed', actor: SYSTEM, state: 'off' }),
  },
  {
    name: 'BMC refuses the login',
    command: (machine) => ({
      type: 'power-result',
      actor: SYSTEM,
      attemptId: machine.attempt?.id ?? null,
      generation: machine.generation,
      outcome: { ok: false, class: 'auth', message: 'invalid password' },
    }),
    machine: awaitingPower,
  },
];

/** 'refused', 'unchanged' (accepted, nothing to do), 'deleted', or the status after. */
function outcomeOf(decision: Decision): string {
  if (!decision.ok) return 'refused';
  if (decision.effects.some((effect) => effect.type === 'delete-machine')) return 'deleted';
  return decision.note === undefined ? decision.machine.status : 'unchanged';
}

/** What really happens for every situation in every status. */
export function computeLedger(): Map<string, Map<Status, string>> {
  const ledger = new Map<string, Map<Status, string>>();
  for (const { name, command, machine, now } of SITUATIONS) {
    const row = new Map<Status, string>();
    for (const status of STATUSES) {
      const before = machine?.(status) ?? machineIn(status);
      row.set(status, outcomeOf(decide(before, command(before), context(now === undefined ? {} : { now }))));
    }
    ledger.set(name, row);
  }
  return ledger;
}

/** The tracked file: one line a status and situation. */
export function renderLedger(): string {
  const lines = ['situation\tstatus\toutcome'];
  for (const [name, row] of computeLedger()) {
    for (const [status, outcome] of row) lines.push(`${name}\t${status}\t${outcome}`);
  }
  return `${lines.join('\n')}\n`;
}
