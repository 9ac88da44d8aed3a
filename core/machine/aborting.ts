import { begin, clearDeployment, emit, endAttempt, request, setStatus, settle, wantPower } from './draft.ts';
import { abortResults } from './failing.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import { STATUS_LABELS, type Status } from './status.ts';

interface Abort {
  to: (machine: MachineState) => Status;
  request: string;
  done: string;
}

const ABORTS: Partial<Record<Status, Abort>> = {
  COMMISSIONING: { to: () => 'NEW', request: 'REQUEST_NODE_ABORT_COMMISSIONING', done: 'ABORTED_COMMISSIONING' },
  TESTING: {
    to: ({ previousStatus }) => (previousStatus === 'COMMISSIONING' ? 'READY' : previousStatus),
    request: 'REQUEST_NODE_ABORT_TESTING',
    done: 'ABORTED_TESTING',
  },
  DEPLOYING: { to: () => 'ALLOCATED', request: 'REQUEST_NODE_ABORT_DEPLOYMENT', done: 'ABORTED_DEPLOYMENT' },
  DISK_ERASING: {
    to: () => 'FAILED_DISK_ERASING',
    request: 'REQUEST_NODE_ABORT_ERASE_DISK',
    done: 'ABORTED_DISK_ERASING',
  },
};

/** Give up the work under way and switch the machine off. Addresses claimed for a deployment go when it is seen off. */
export function abort(
  machine: MachineState,
  command: Extract<Command, { type: 'abort' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'abort', command.actor);
  if (refused.length > 0) return { ok: false, refused };
  const rule = ABORTS[machine.status];
  // The guard let only the four statuses through that have a rule.
  if (rule === undefined) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  const draft = begin(machine, context);
  const label = STATUS_LABELS[machine.status].toLowerCase();
  request(draft, rule.request, `Aborted '${label}' on %s.`, command.actor, command.comment);
  abortResults(draft, 'aborted');
  endAttempt(draft, 'aborted');
  const agentName = machine.agentName;
  setStatus(draft, rule.to(machine));
  if (machine.status === 'DEPLOYING') {
    // Still allocated to the same client, so the name it gave at allocation stays.
    clearDeployment(draft);
    draft.machine.agentName = agentName;
  }
  draft.machine.enlisting = false;
  emit(draft, rule.done, 'INFO');
  wantPower(draft, 'off');
  return settle(draft);
}
