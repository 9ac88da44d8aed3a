import {
  begin,
  type Draft,
  dropWant,
  emit,
  endAttempt,
  isControllable,
  openAttempt,
  ownerOf,
  request,
  setOwner,
  setStatus,
  settle,
  wantBoot,
  wantPower,
} from './draft.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import type { Status } from './status.ts';

export function rescue(
  machine: MachineState,
  command: Extract<Command, { type: 'rescue' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'rescue', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  request(draft, 'REQUEST_NODE_START_RESCUE_MODE', 'Started rescue mode on %s.', command.actor, command.comment);
  const caller = ownerOf(command.actor);
  // Not setOwner: the tenant's system is only paused, so its metadata token stays.
  if (caller !== null) draft.machine.owner = caller;
  setStatus(draft, 'ENTERING_RESCUE_MODE');
  openAttempt(draft, 'rescue', 'power');
  wantBoot(draft);
  return settle(draft);
}

/** The rescue system is up. */
export function enterRescue(draft: Draft): void {
  endAttempt(draft, 'passed');
  setStatus(draft, 'RESCUE_MODE');
  dropWant(draft);
}

export function exitRescue(
  machine: MachineState,
  command: Extract<Command, { type: 'exit-rescue' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'exit-rescue', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  request(draft, 'REQUEST_NODE_STOP_RESCUE_MODE', 'Exited rescue mode on %s.', command.actor, command.comment);
  const deployed = machine.previousStatus === 'DEPLOYED';
  openAttempt(draft, 'exit-rescue', deployed ? 'power' : 'power-off');
  setStatus(draft, 'EXITING_RESCUE_MODE');
  if (!isControllable(machine) || (!deployed && machine.powerState === 'off')) finishExit(draft);
  else wantPower(draft, deployed ? 'cycle' : 'off');
  return settle(draft);
}

/** In these the machine is somebody's: without an owner nobody but an administrator could go on with it. */
const OWNED: readonly Status[] = [
  'DEPLOYED',
  'ALLOCATED',
  'RESERVED',
  'FAILED_DEPLOYMENT',
  'FAILED_RELEASING',
  'FAILED_DISK_ERASING',
];

export function finishExit(draft: Draft): void {
  dropWant(draft);
  endAttempt(draft, 'passed');
  const back = draft.machine.previousStatus;
  setStatus(draft, back);
  if (!OWNED.includes(back)) setOwner(draft, null);
  emit(draft, 'EXITED_RESCUE_MODE', 'INFO');
}
