import {
  type Draft,
  dropWant,
  effect,
  emit,
  enterPhase,
  FAST_TRACK,
  openAttempt,
  wantBoot,
  wantPower,
} from './draft.ts';
import type { Attempt, AttemptKind, MachineState } from './model.ts';
import type { Status } from './status.ts';

/** An agent that was found waiting has this long to begin what it is handed, ms; the setting is `phase_limits.agent-kept`. */
export const TAKE_LIMIT_MS = 30_000;

/** Where the next work is likely to be a commissioning, a test or a deployment. */
const WORTH_WAITING: readonly Status[] = ['NEW', 'READY', 'ALLOCATED'];

/** The machine's own work is done and its agent idle: it stays on until the wait's deadline. */
export function isKeptUp(machine: MachineState): boolean {
  return machine.waitingFor?.code === FAST_TRACK;
}

/**
 * Leave the machine on with its agent asking for work, for as long as the site wants that. False: it has to go off. One
 * that people could log in to is not kept: what runs in it is not only ours any more.
 */
export function keepUp(draft: Draft): boolean {
  const { context, machine } = draft;
  const ms = context.fastTrackMs ?? 0;
  if (ms <= 0 || machine.enableSsh || !WORTH_WAITING.includes(machine.status)) return false;
  dropWant(draft);
  // Its agent has just spoken, whatever the BMC was last heard to say.
  if (machine.powerState === 'off') machine.powerState = 'on';
  machine.waitingFor = { code: FAST_TRACK, since: context.now, deadline: context.now + ms };
  emit(draft, 'NODE_STATUS_EVENT', 'DEBUG', `Stays on for up to ${Math.round(ms / 60_000)} min: fast track`);
  return true;
}

/** Nothing came in time. One that nobody has accepted yet is told to go by its agent: its BMC is left alone. */
export function letGo(draft: Draft): void {
  const { machine } = draft;
  machine.waitingFor = null;
  emit(draft, 'NODE_STATUS_EVENT', 'DEBUG', 'No work came in time: the machine is switched off (fast track)');
  if (machine.status !== 'NEW' || machine.facts.commissioning !== 'none') wantPower(draft, 'off');
}

/**
 * Open the attempt where its work begins: with the agent that is still there, or else with the power. `fresh` asks for a
 * boot of its own whatever runs.
 */
export function beginWork(draft: Draft, kind: AttemptKind, fresh: boolean): void {
  const { machine, context } = draft;
  const waits = isKeptUp(machine) && machine.facts.agentWaiting && machine.powerWant === null;
  if (fresh || !waits) {
    openAttempt(draft, kind, 'power');
    wantBoot(draft);
    return;
  }
  openAttempt(draft, kind, 'agent');
  const opened = draft.machine.attempt;
  if (opened === null) return;
  const limit = context.phaseLimits?.['agent-kept'] ?? TAKE_LIMIT_MS;
  const text = 'The agent of the work before is still there and is handed this: no power cycle, no boot (fast track)';
  draft.machine.attempt = {
    ...opened,
    deadline: context.now + limit,
    lastEvidence: { kind: 'fast-track', text, at: context.now },
  };
  emit(draft, 'NODE_STATUS_EVENT', 'DEBUG', text);
  effect(draft, { type: 'hand-over-agent' });
}

/** Handed to an agent that has not begun yet. Any other attempt comes to its agent later than it begins. */
export function isHandedOver(open: Attempt): boolean {
  return open.phase === 'agent' && !open.agentSeen && open.phaseSince === open.startedAt;
}

/** The agent did not take it. The attempt goes the long way, and that agent hears of nothing any more. */
export function bootInstead(draft: Draft, why: string): void {
  const text = `${why}; the machine is booted anew`;
  emit(draft, 'NODE_STATUS_EVENT', 'INFO', text);
  effect(draft, { type: 'dismiss-agent' });
  enterPhase(draft, 'power');
  const open = draft.machine.attempt;
  const at = draft.context.now;
  if (open !== null) draft.machine.attempt = { ...open, lastEvidence: { kind: 'fast-track', text, at } };
  wantBoot(draft);
}
