import { failure } from './catalogue.ts';
import {
  begin,
  by,
  clearDeployment,
  effect,
  emit,
  endAttempt,
  openAttemptOf,
  request,
  setStatus,
  settle,
  wantPower,
} from './draft.ts';
import { abortResults, fail } from './failing.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import { releaseNow } from './releasing.ts';
import { hasWork, RELEASABLE } from './transitions.ts';

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

/** Out of service. What can be released is released first; other work under way is given up and the machine switched off. */
export function markBroken(machine: MachineState, command: Of<'mark-broken'>, context: DecideContext): Decision {
  const { refused } = check(machine, 'mark-broken', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  const { actor, comment } = command;
  if (actor.kind === 'user') request(draft, 'REQUEST_NODE_MARK_BROKEN', 'Marked %s broken.', actor, comment);
  else emit(draft, 'REQUEST_NODE_MARK_BROKEN_SYSTEM', 'ERROR', by(actor, comment));
  if (machine.status === 'BROKEN') {
    draft.machine.errorDescription = comment ?? '';
    return settle(draft);
  }
  abortResults(draft, 'aborted');
  if (RELEASABLE.includes(machine.status)) {
    releaseNow(draft);
    endAttempt(draft, 'aborted');
  } else if (openAttemptOf(draft.machine) !== null) {
    endAttempt(draft, 'aborted');
    if (hasWork(machine.status) && !machine.enableSsh) wantPower(draft, 'off');
  }
  // A dynamic machine is deleted with its release, so there is nothing left to be broken.
  if (draft.effects.some((wanted) => wanted.type === 'delete-machine')) return settle(draft);
  setStatus(draft, 'BROKEN');
  draft.machine.errorDescription = comment ?? '';
  draft.machine.enlisting = false;
  return settle(draft);
}

export function markFixed(machine: MachineState, command: Of<'mark-fixed'>, context: DecideContext): Decision {
  const { refused } = check(machine, 'mark-fixed', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  request(draft, 'REQUEST_NODE_MARK_FIXED', 'Marked %s fixed.', command.actor, command.comment);
  const deployed = machine.previousStatus === 'DEPLOYED';
  if (!deployed) clearDeployment(draft);
  setStatus(draft, deployed ? 'DEPLOYED' : 'READY');
  draft.machine.errorDescription = '';
  return settle(draft);
}

/** Give up the work under way. In NEW and in failure statuses there is none, and saying so again changes nothing. */
export function markFailed(machine: MachineState, command: Of<'mark-failed'>, context: DecideContext): Decision {
  const { refused, silent } = check(machine, 'mark-failed', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  if (silent) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  const draft = begin(machine, context);
  const { actor, comment } = command;
  const who = actor.kind === 'user' ? actor.name : actor.kind;
  const evidence = openAttemptOf(machine)?.lastEvidence?.text ?? null;
  const why = failure('marked.failed', { by: who, detail: comment ?? 'no comment' }, evidence);
  fail(draft, why, { results: 'failed', actor, ...(comment === undefined ? {} : { comment }) });
  return settle(draft);
}

export function setLock(machine: MachineState, command: Of<'lock'> | Of<'unlock'>, context: DecideContext): Decision {
  const { refused } = check(machine, command.type, command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  const locks = command.type === 'lock';
  const type = locks ? 'REQUEST_NODE_LOCK' : 'REQUEST_NODE_UNLOCK';
  request(draft, type, locks ? 'Locked %s.' : 'Unlocked %s.', command.actor, command.comment);
  draft.machine.locked = locks;
  return settle(draft);
}

export function remove(machine: MachineState, command: Of<'delete'>, context: DecideContext): Decision {
  const { refused } = check(machine, 'delete', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  if (command.actor.kind === 'user') emit(draft, 'NODE', 'AUDIT', `Deleted the 'machine' '${machine.hostname}'.`);
  endAttempt(draft, 'aborted');
  effect(draft, { type: 'revoke-instance-token' });
  effect(draft, { type: 'delete-machine' });
  return settle(draft);
}
