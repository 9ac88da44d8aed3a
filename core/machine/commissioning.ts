import { refusal } from './catalogue.ts';
import {
  begin,
  clearDeployment,
  effect,
  emit,
  endAttempt,
  openAttempt,
  ownerOf,
  request,
  setOwner,
  setStatus,
  settle,
} from './draft.ts';
import { beginWork, keepUp } from './fast-track.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import { STATUS_LABELS } from './status.ts';

type CommissionCommand = Extract<Command, { type: 'commission' }>;

/** Accept an enlisted machine: commission it with defaults. What is on its way or through already is left alone. */
export function accept(
  machine: MachineState,
  command: Extract<Command, { type: 'accept' }>,
  context: DecideContext,
): Decision {
  const { refused, silent } = check(machine, 'accept', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  if (silent) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  return start(machine, { type: 'commission', actor: command.actor }, context);
}

export function commission(machine: MachineState, command: CommissionCommand, context: DecideContext): Decision {
  const { refused } = check(machine, 'commission', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  return start(machine, command, context);
}

function start(machine: MachineState, command: CommissionCommand, context: DecideContext): Decision {
  const draft = begin(machine, context);
  request(draft, 'REQUEST_NODE_START_COMMISSIONING', 'Started commissioning on %s.', command.actor, command.comment);
  Object.assign(draft.machine, {
    enableSsh: command.enableSsh ?? false,
    skipBmcConfig: command.skipBmcConfig ?? false,
    skipNetworking: command.skipNetworking ?? false,
    skipStorage: command.skipStorage ?? false,
    enlisting: false,
    errorDescription: '',
  } satisfies Partial<MachineState>);
  clearDeployment(draft);
  const scripts = command.scripts;
  effect(draft, { type: 'create-script-set', kind: 'commissioning', ...(scripts ? { scripts } : {}) });
  const untested = scripts?.testing?.length === 1 && scripts.testing[0] === 'none';
  if (!untested) effect(draft, { type: 'create-script-set', kind: 'testing', ...(scripts ? { scripts } : {}) });
  const clear = { clearStorage: !draft.machine.skipStorage, clearNetwork: !draft.machine.skipNetworking };
  effect(draft, { type: 'prepare-commissioning', ...clear });
  setStatus(draft, 'COMMISSIONING');
  setOwner(draft, ownerOf(command.actor) ?? draft.machine.owner);
  // Who may log in is settled when the agent's session begins.
  beginWork(draft, 'commission', draft.machine.enableSsh);
  return settle(draft);
}

/**
 * The machine reported itself through a rack. Nobody contacts its BMC before an administrator accepts it; the attempt is
 * over when it is opened, for the report is the whole of it.
 */
export function enlisted(
  machine: MachineState,
  command: Extract<Command, { type: 'enlisted' }>,
  context: DecideContext,
): Decision {
  if (machine.status !== 'NEW') {
    const status = STATUS_LABELS[machine.status];
    const path = 'Only a machine that is New enlists; switch this one off.';
    return { ok: false, refused: [refusal('status.wrong', { action: 'Enlisting', status, path })] };
  }
  const draft = begin(machine, context);
  draft.machine.enlisting = false;
  openAttempt(draft, 'enlist', 'agent');
  const opened = draft.machine.attempt;
  if (opened !== null) draft.machine.attempt = { ...opened, agentSeen: true };
  endAttempt(draft, 'passed');
  keepUp(draft);
  emit(draft, 'NEW', 'INFO', command.actor.kind === 'rack' ? `through rack ${command.actor.rackId}` : '');
  return settle(draft);
}
