import { failure } from './catalogue.ts';
import {
  begin,
  type Draft,
  dropWant,
  effect,
  emit,
  enterPhase,
  openAttemptOf,
  request,
  settle,
  wantPower,
} from './draft.ts';
import { fail, revertStart } from './failing.ts';
import { bootInstead, isHandedOver } from './fast-track.ts';
import { check } from './guards.ts';
import type {
  Command,
  DecideContext,
  Decision,
  MachineState,
  PowerErrorClass,
  PowerState,
  PowerWant,
} from './model.ts';
import { finishRelease } from './releasing.ts';
import { finishExit } from './rescue.ts';
import { KEEPS_ADDRESSES_WHEN_OFF } from './transitions.ts';

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

/** Waits before the next try after a failed one, ms; after the last the want has failed. */
export const RETRY_WAITS = [4_000, 8_000, 16_000, 32_000] as const;

const RETRYABLE: Record<PowerErrorClass, boolean> = {
  auth: false,
  setting: false,
  tool: false,
  fatal: false,
  connection: true,
  action: true,
};

const FAILED_EVENT: Record<PowerWant, string> = {
  on: 'NODE_POWER_ON_FAILED',
  off: 'NODE_POWER_OFF_FAILED',
  cycle: 'NODE_POWER_CYCLE_FAILED',
};

/** A person's power switch. With manual power there is nobody to tell, so it changes nothing. */
export function power(
  machine: MachineState,
  command: Of<'power-on'> | Of<'power-off'>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, command.type, command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const on = command.type === 'power-on';
  const soft = command.type === 'power-off' && (command.soft ?? false);
  const wanted = on ? 'on' : 'off';
  const again = machine.powerWant === wanted && machine.powerSoft === soft;
  if (again || machine.powerType === 'manual' || (on && machine.powerWant === 'cycle')) {
    return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  }
  const draft = begin(machine, context);
  const type = on ? 'REQUEST_NODE_START' : 'REQUEST_NODE_STOP';
  request(draft, type, on ? 'Powered on %s.' : 'Powered off %s.', command.actor, command.comment);
  wantPower(draft, wanted, soft);
  return settle(draft);
}

/** Take note of a power state, with what hangs on it: addresses, and the end of releasing and of leaving rescue mode. */
export function observe(draft: Draft, state: PowerState): void {
  const before = draft.machine.powerState;
  draft.machine.powerState = state;
  if (before !== state && state === 'on') emit(draft, 'NODE_POWERED_ON', 'DEBUG');
  if (before !== state && state === 'off') emit(draft, 'NODE_POWERED_OFF', 'DEBUG');
  const { status, previousStatus, powerWant } = draft.machine;
  if (before !== state && state === 'off' && !KEEPS_ADDRESSES_WHEN_OFF.includes(status)) {
    effect(draft, { type: 'release-addresses' });
  }
  const phase = openAttemptOf(draft.machine)?.phase;
  if (status === 'RELEASING' && phase === 'power-off' && state === 'off') finishRelease(draft);
  if (status === 'EXITING_RESCUE_MODE') {
    const deployed = previousStatus === 'DEPLOYED';
    // "On" before the cycle is done is the rescue system, not the machine's own.
    if (deployed && state === 'on' && powerWant === null) finishExit(draft);
    if (!deployed && state === 'off') finishExit(draft);
  }
}

export function powerObserved(machine: MachineState, command: Of<'power-observed'>, context: DecideContext): Decision {
  if (
    command.state === machine.powerState &&
    machine.status !== 'RELEASING' &&
    machine.status !== 'EXITING_RESCUE_MODE'
  ) {
    return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  }
  const draft = begin(machine, context);
  observe(draft, command.state);
  const open = openAttemptOf(draft.machine);
  if (command.state === 'off' && open !== null && isHandedOver(open)) bootInstead(draft, 'The machine was seen off');
  return settle(draft);
}

/** An answer counts only for the want it was ordered under: same generation, and the same attempt if one is open. */
function isStale(machine: MachineState, command: Of<'power-result'>): boolean {
  if (command.generation !== machine.generation || machine.powerWant === null) return true;
  const open = openAttemptOf(machine);
  if (open !== null) return command.attemptId !== open.id;
  return command.attemptId !== null && command.attemptId !== machine.attempt?.id;
}

export function powerResult(machine: MachineState, command: Of<'power-result'>, context: DecideContext): Decision {
  const draft = begin(machine, context);
  const want = machine.powerWant;
  if (want === null || isStale(machine, command)) {
    const said = command.outcome.ok ? command.outcome.state : `${command.outcome.class}: ${command.outcome.message}`;
    emit(draft, 'NODE_STATUS_EVENT', 'DEBUG', `Late power answer ignored (${said})`);
    return { ok: true, machine, events: draft.events, effects: [], note: 'stale' };
  }
  if (command.outcome.ok) {
    dropWant(draft);
    if (openAttemptOf(machine)?.phase === 'power' && machine.status !== 'EXITING_RESCUE_MODE')
      enterPhase(draft, 'dhcp');
    observe(draft, command.outcome.state);
    return settle(draft);
  }
  const wait = RETRY_WAITS[machine.powerTries];
  if (RETRYABLE[command.outcome.class] && wait !== undefined) {
    draft.machine.powerTries = machine.powerTries + 1;
    draft.machine.nextAt = context.now + wait;
    emit(draft, 'NODE_POWER_QUERY_FAILED', 'WARNING', `${command.outcome.message}; next try in ${wait / 1000} s`);
    return settle(draft);
  }
  giveUp(draft, want, command.outcome.class, command.outcome.message);
  return settle(draft);
}

/** The want has failed for good. Work that waited for it fails with it; work that is past its power goes on. */
function giveUp(draft: Draft, want: PowerWant, kind: PowerErrorClass, error: string): void {
  const why = failure(`power.${kind}`, { error }, error);
  emit(draft, FAILED_EVENT[want], 'ERROR', why.message);
  draft.machine.powerState = 'error';
  dropWant(draft);
  const open = openAttemptOf(draft.machine);
  if (open?.phase === 'power') revertStart(draft, why);
  else if (open?.phase === 'power-off') fail(draft, why, { leavePower: true });
}
