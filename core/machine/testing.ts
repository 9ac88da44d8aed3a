import {
  begin,
  clearDeployment,
  type Draft,
  dropWant,
  effect,
  emit,
  endAttempt,
  ownerOf,
  request,
  setOwner,
  setStatus,
  settle,
  wantPower,
} from './draft.ts';
import { beginWork, keepUp } from './fast-track.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import type { Status } from './status.ts';
import { RESET_TO_READY } from './transitions.ts';

export function test(
  machine: MachineState,
  command: Extract<Command, { type: 'test' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'test', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  const { scripts } = command;
  effect(draft, { type: 'create-script-set', kind: 'testing', ...(scripts ? { scripts } : {}) });
  request(draft, 'REQUEST_NODE_START_TESTING', 'Started testing on %s.', command.actor, command.comment);
  draft.machine.enableSsh = command.enableSsh ?? false;
  setStatus(draft, 'TESTING');
  if (draft.machine.owner === null) setOwner(draft, ownerOf(command.actor));
  beginWork(draft, 'test', draft.machine.enableSsh);
  return settle(draft);
}

/** Where a machine goes whose tests passed. */
export function afterTesting(machine: MachineState): Status {
  if (machine.enlisting) return 'NEW';
  if (machine.previousStatus === 'FAILED_COMMISSIONING') return 'NEW';
  return RESET_TO_READY.includes(machine.previousStatus) ? 'READY' : machine.previousStatus;
}

/** Tests (or commissioning) passed: leave the ephemeral system. */
export function passed(draft: Draft, next: Status): void {
  endAttempt(draft, 'passed');
  setStatus(draft, next);
  draft.machine.enlisting = false;
  draft.machine.errorDescription = '';
  if (next === 'DEPLOYED') {
    // Its own system runs again only after a reset, now that a network boot answers "boot your disk".
    wantPower(draft, 'cycle');
  } else if (draft.machine.enableSsh) dropWant(draft);
  else if (!keepUp(draft)) wantPower(draft, 'off');
}

export function overrideFailedTesting(
  machine: MachineState,
  command: Extract<Command, { type: 'override-failed-testing' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'override-failed-testing', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  const { actor, comment } = command;
  request(draft, 'REQUEST_NODE_OVERRIDE_FAILED_TESTING', 'Overrode failed testing on %s.', actor, comment);
  const deployed = machine.osystem !== '';
  setStatus(draft, deployed ? 'DEPLOYED' : 'READY');
  if (!deployed) clearDeployment(draft);
  draft.machine.errorDescription = '';
  emit(draft, 'NODE_STATUS_EVENT', 'DEBUG', "User overrode 'Failed testing' status");
  return settle(draft);
}
