import { type Code, failure } from './catalogue.ts';
import { begin, type Draft, dropWant, emit, endAttempt, openAttemptOf, settle } from './draft.ts';
import { fail } from './failing.ts';
import { bootInstead, isHandedOver, isKeptUp, letGo } from './fast-track.ts';
import type { Attempt, Command, DecideContext, Decision, Failure, MachineState } from './model.ts';
import { type PhaseClass, phaseClass } from './phases.ts';

const STUCK: Record<PhaseClass, Code> = {
  power: 'stuck.power',
  dhcp: 'stuck.dhcp',
  'boot-program': 'stuck.boot_program',
  kernel: 'stuck.kernel',
  agent: 'stuck.agent',
  script: 'stuck.script',
  step: 'stuck.step',
  reboot: 'stuck.reboot',
  'first-boot': 'stuck.first_boot',
  'power-off': 'stuck.power_off',
};

/**
 * The wait for something has lasted as long as it may. Before that the command changes nothing, so any number of
 * sweepers may send it.
 */
export function deadline(
  machine: MachineState,
  _command: Extract<Command, { type: 'deadline' }>,
  context: DecideContext,
): Decision {
  const { waitingFor } = machine;
  if (waitingFor === null || context.now < waitingFor.deadline) {
    return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  }
  const draft = begin(machine, context);
  const open = openAttemptOf(machine);
  if (open === null) {
    if (isKeptUp(machine)) letGo(draft);
    else forgetWant(draft);
    return settle(draft);
  }
  if (isHandedOver(open)) {
    const seconds = Math.round((context.now - open.phaseSince) / 1000);
    bootInstead(draft, `The agent that had stayed on did not begin within ${seconds} s`);
    return settle(draft);
  }
  const why = stuckAt(machine, open, context.now);
  if (machine.status === 'DEPLOYED') {
    // In its owner's hands: nothing is taken away, only told.
    emit(draft, 'NODE_STATUS_EVENT', 'WARNING', why.message);
    endAttempt(draft, 'passed');
    return settle(draft);
  }
  const kind = phaseClass(open.phase);
  fail(draft, why, { results: kind === 'script' ? 'timedout' : 'aborted', leavePower: kind === 'power-off' });
  return settle(draft);
}

/** Nobody answered about a want outside an attempt: stop waiting. A later answer is of an older generation. */
function forgetWant(draft: Draft): void {
  const want = draft.machine.powerWant;
  dropWant(draft);
  draft.machine.generation += 1;
  if (want === null) return;
  const type = want === 'off' ? 'NODE_POWER_OFF_FAILED' : 'NODE_POWER_ON_FAILED';
  emit(draft, type, 'ERROR', failure('stuck.power', { seconds: secondsOf(draft.machine, draft.context.now) }).message);
}

function secondsOf(machine: MachineState, now: number): number {
  return machine.waitingFor === null ? 0 : Math.round((now - machine.waitingFor.since) / 1000);
}

/** The failure of a phase that took too long; it names the newest thing that was seen. */
function stuckAt(machine: MachineState, open: Attempt, now: number): Failure {
  const seconds = Math.round((now - open.phaseSince) / 1000);
  const name = open.phase.replace(/^(script|step):/, '');
  const last = open.lastEvidence;
  const seen = last === null ? 'Nothing was seen of the machine in this attempt' : `${last.kind}: ${last.text}`;
  const why = failure(STUCK[phaseClass(open.phase)], { seconds, name }, seen);
  const manual = machine.powerType === 'manual' && open.phase === 'power';
  return manual ? { ...why, message: `The machine was not switched on by hand within ${seconds} s.` } : why;
}
