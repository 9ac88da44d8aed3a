import { type Code, failure } from './catalogue.ts';
import { markInstalled } from './deploying.ts';
import { begin, type Draft, dropWant, emit, enterPhase, openAttemptOf, setStatus, settle } from './draft.ts';
import { fail } from './failing.ts';
import type { Attempt, Command, DecideContext, Decision, Failure, MachineState, Phase } from './model.ts';
import { advance, limitOf, phaseClass } from './phases.ts';
import { observe } from './power.ts';
import { releaseNow } from './releasing.ts';
import { enterRescue } from './rescue.ts';
import { afterTesting, passed } from './testing.ts';

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

const stale = (machine: MachineState): Decision => ({ ok: true, machine, events: [], effects: [], note: 'stale' });

/** Evidence of the open attempt. It moves the phase forward where it can, and is kept as the newest in any case. */
export function phaseSeen(machine: MachineState, command: Of<'phase'>, context: DecideContext): Decision {
  const open = openAttemptOf(machine);
  if (open === null || open.id !== command.attemptId) return stale(machine);
  const draft = begin(machine, context);
  const { phase, evidence, limitMs } = command;
  const seen: Attempt = { ...open, lastEvidence: { ...evidence, at: context.now } };
  draft.machine.attempt = seen;
  if (phase === open.phase) {
    // A long step that reports progress with a limit of its own is not stuck.
    const later = limitMs === undefined ? 0 : context.now + limitMs;
    draft.machine.attempt = { ...seen, deadline: Math.max(seen.deadline ?? 0, later) };
  } else if (evidenceMoves(machine, open, phase)) {
    const limit = limitOf(phase, context.phaseLimits, false, limitMs);
    draft.machine.attempt = advance(seen, phase, context.now, limit);
    if (open.phase === 'power' && phaseClass(phase) !== 'dhcp') {
      // It boots what this attempt serves. Trying the power again after a lost or late answer would end that boot.
      dropWant(draft);
      observe(draft, 'on');
    }
  }
  return settle(draft);
}

/** Power phases end by power answers and the first boot begins by user-data; evidence alone cannot claim them. */
function evidenceMoves(machine: MachineState, open: Attempt, phase: Phase): boolean {
  const to = phaseClass(phase);
  if (to === 'power' || to === 'power-off' || to === 'first-boot') return false;
  // With a cycle still to come, a DHCP request is a renewal by the system that runs now.
  if (to === 'dhcp' && machine.powerWant === 'cycle') return false;
  return open.kind !== 'exit-rescue' && open.phase !== 'power-off';
}

/** The agent is there. A second session in one attempt is a second boot: its work starts over. */
export function agentSession(machine: MachineState, command: Of<'agent-session'>, context: DecideContext): Decision {
  const open = openAttemptOf(machine);
  if (open === null || open.id !== command.attemptId) return stale(machine);
  const written = machine.status === 'DEPLOYING' && !machine.netboot;
  const past = machine.status === 'DEPLOYED' || written || open.kind === 'exit-rescue' || open.phase === 'power-off';
  if (past) return stale(machine);
  const draft = begin(machine, context);
  const evidence = { kind: 'agent.session', text: 'The agent opened its session', at: context.now };
  draft.machine.attempt = { ...open, agentSeen: true, lastEvidence: evidence };
  enterPhase(draft, 'agent');
  // It runs in this attempt's boot, so the power is as wanted even if the BMC's answer was lost.
  dropWant(draft);
  observe(draft, 'on');
  if (machine.status === 'COMMISSIONING') emit(draft, 'GATHERING_INFO', 'INFO');
  return settle(draft);
}

/** What an agent's report of failure means when it names no code of its own. */
const DEFAULT_CODE = {
  COMMISSIONING: 'script.failed',
  TESTING: 'test.failed',
  DEPLOYING: 'install.step_failed',
  DISK_ERASING: 'erase.failed',
  RELEASING: 'release.failed',
  ENTERING_RESCUE_MODE: 'rescue.failed',
} as const satisfies Partial<Record<MachineState['status'], Code>>;

const DEFAULT_DETAIL = {
  COMMISSIONING: 'A commissioning script failed.',
  TESTING: 'A test failed.',
  DEPLOYING: 'refer to the installation log for more information.',
  DISK_ERASING: '',
  RELEASING: '',
  ENTERING_RESCUE_MODE: 'the agent reported a failure',
} as const;

/** The agent's closing word about its task. */
export function agentDone(machine: MachineState, command: Of<'agent-done'>, context: DecideContext): Decision {
  const open = openAttemptOf(machine);
  if (open === null || open.id !== command.attemptId || open.phase === 'power-off') return stale(machine);
  const draft = begin(machine, context);
  const { status } = machine;
  switch (status) {
    case 'COMMISSIONING':
      // A failed result counts whatever the closing word says.
      if (command.outcome === 'failed' || machine.facts.commissioning === 'failed') break;
      if (command.testing) nextTests(draft);
      else passed(draft, machine.enlisting ? 'NEW' : 'READY');
      return settle(draft);
    case 'TESTING':
      if (command.outcome === 'failed') break;
      passed(draft, afterTesting(machine));
      return settle(draft);
    case 'DEPLOYING':
      if (command.outcome === 'failed') break;
      if (!machine.netboot) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
      markInstalled(draft);
      return settle(draft);
    case 'DISK_ERASING':
    case 'RELEASING':
      if (command.outcome === 'failed') break;
      if (status === 'DISK_ERASING') emit(draft, 'NODE_DISKS_ERASED', 'INFO');
      else emit(draft, 'NODE_RELEASE_SCRIPTS_OK', 'INFO');
      releaseNow(draft);
      return settle(draft);
    case 'ENTERING_RESCUE_MODE':
      if (command.outcome === 'failed') break;
      enterRescue(draft);
      return settle(draft);
    default:
      return stale(machine);
  }
  const evidence = open.lastEvidence?.text ?? null;
  const own = failure(DEFAULT_CODE[status], { detail: DEFAULT_DETAIL[status] }, evidence);
  const reported: Failure | undefined = command.failure;
  fail(draft, reported ?? own, { results: 'aborted' });
  return settle(draft);
}

/** Commissioning passed and tests follow in the same boot: same attempt, next status. */
function nextTests(draft: Draft): void {
  setStatus(draft, 'TESTING');
  enterPhase(draft, 'agent');
}
