import { bootTargetOf } from './boot.ts';
import { refusal } from './catalogue.ts';
import type {
  Actor,
  Attempt,
  AttemptKind,
  DecideContext,
  Decision,
  DomainEvent,
  Effect,
  Failure,
  MachineState,
  Owner,
  Phase,
  PowerWant,
} from './model.ts';
import { enter, limitOf } from './phases.ts';
import { STATUS_LABELS, type Status } from './status.ts';
import { KEEPS_PREVIOUS } from './transitions.ts';

/**
 * The decision while it is being made: a copy of the machine that the command's own file changes, and what has to
 * happen with it. It lives only inside one call of decide(); settle() makes the decision of it.
 */
export interface Draft {
  machine: MachineState;
  events: DomainEvent[];
  effects: Effect[];
  closed: Attempt | null;
  readonly context: DecideContext;
}

export function begin(machine: MachineState, context: DecideContext): Draft {
  return { machine: { ...machine }, events: [], effects: [], closed: null, context };
}

/** Code of the wait for more work, while the machine stays on: see fast-track.ts. */
export const FAST_TRACK = 'fast-track';

/** Statuses whose change is told to people by an event of its own. */
const STATUS_EVENTS: readonly Status[] = [
  'NEW',
  'COMMISSIONING',
  'FAILED_COMMISSIONING',
  'TESTING',
  'FAILED_TESTING',
  'READY',
  'DEPLOYING',
  'DEPLOYED',
  'RELEASING',
  'ENTERING_RESCUE_MODE',
  'RESCUE_MODE',
  'FAILED_EXITING_RESCUE_MODE',
];

export function emit(draft: Draft, type: string, level: DomainEvent['level'], description = ''): void {
  draft.events.push({ type, level, description });
}

/** "(user) - comment", the wording that status_message shows. */
export function by(actor: Actor, comment?: string): string {
  const name = actor.kind === 'user' ? actor.name : actor.kind;
  return comment ? `(${name}) - ${comment}` : `(${name})`;
}

/** A person's request: the REQUEST_* event, and for people the audit line ("Started releasing 'host'."). */
export function request(draft: Draft, type: string, audit: string, actor: Actor, comment?: string): void {
  emit(draft, type, 'DEBUG', by(actor, comment));
  if (actor.kind === 'user') emit(draft, 'NODE', 'AUDIT', audit.replace('%s', `'${draft.machine.hostname}'`));
}

export function effect(draft: Draft, wanted: Effect): void {
  const once = JSON.stringify(wanted);
  if (!draft.effects.some((known) => JSON.stringify(known) === once)) draft.effects.push(wanted);
}

/**
 * Change the status, with what always goes with it: previousStatus, events, and for a machine that is back in the pool
 * (READY, NEW) nobody's ownership and nothing left of the last deployment.
 */
export function setStatus(draft: Draft, status: Status): void {
  const from = draft.machine.status;
  if (from === status) return;
  const back = status === 'READY' || status === 'NEW';
  draft.machine = {
    ...draft.machine,
    status,
    statusSince: draft.context.now,
    previousStatus: KEEPS_PREVIOUS.includes(from) ? draft.machine.previousStatus : from,
    ...(back ? { errorDescription: '' } : {}),
  };
  if (back) {
    setOwner(draft, null);
    clearDeployment(draft);
  }
  const owner = status === 'ALLOCATED' && draft.machine.owner ? ` (to ${draft.machine.owner.name})` : '';
  const text = `From '${STATUS_LABELS[from]}' to '${STATUS_LABELS[status]}'${owner}`;
  emit(draft, 'NODE_CHANGED_STATUS', 'DEBUG', text);
  if (STATUS_EVENTS.includes(status)) emit(draft, status, 'INFO');
}

/** A change of owner voids the token by which the old owner's system reads its metadata. */
export function setOwner(draft: Draft, owner: Owner | null): void {
  const before = draft.machine.owner;
  if (before?.id === owner?.id) return;
  draft.machine.owner = owner;
  if (before !== null) effect(draft, { type: 'revoke-instance-token' });
}

export function clearDeployment(draft: Draft): void {
  Object.assign(draft.machine, {
    agentName: '',
    osystem: '',
    distroSeries: '',
    hweKernel: '',
    netboot: true,
  } satisfies Partial<MachineState>);
}

export function ownerOf(actor: Actor): Owner | null {
  return actor.kind === 'user' ? { id: actor.id, name: actor.name } : null;
}

export function openAttemptOf(machine: MachineState): Attempt | null {
  return machine.attempt !== null && machine.attempt.endedAt === null ? machine.attempt : null;
}

export function isManual(machine: MachineState): boolean {
  return machine.powerType === 'manual';
}

/** A BMC can be asked to switch this machine. */
export function isControllable(machine: MachineState): boolean {
  return machine.powerType !== '' && !isManual(machine);
}

/** Open a new attempt in its first phase; an open one is aborted first. */
export function openAttempt(draft: Draft, kind: AttemptKind, phase: Phase): void {
  const { now, attemptId, phaseLimits } = draft.context;
  const open = openAttemptOf(draft.machine);
  if (open !== null) endAttempt(draft, 'aborted');
  if (open !== null) draft.closed = draft.machine.attempt;
  const fresh: Attempt = {
    id: attemptId,
    kind,
    startedAt: now,
    endedAt: null,
    outcome: null,
    failure: null,
    phase,
    phaseSince: now,
    deadline: null,
    lastEvidence: null,
    agentSeen: false,
  };
  draft.machine.attempt = enter(fresh, phase, now, limitOf(phase, phaseLimits, isManual(draft.machine)));
}

export function endAttempt(
  draft: Draft,
  outcome: 'passed' | 'failed' | 'aborted',
  failure: Failure | null = null,
): void {
  const open = openAttemptOf(draft.machine);
  if (open === null) return;
  draft.machine.attempt = { ...open, endedAt: draft.context.now, outcome, failure, deadline: null };
}

/** Put the open attempt into a phase, forced. */
export function enterPhase(draft: Draft, phase: Phase): void {
  const open = openAttemptOf(draft.machine);
  if (open === null) return;
  const limit = limitOf(phase, draft.context.phaseLimits, isManual(draft.machine));
  draft.machine.attempt = enter(open, phase, draft.context.now, limit);
}

/**
 * Want a power state. A machine that no BMC switches gets no want: somebody does it by hand, and the attempt says that
 * it waits for that. Every want is a new generation, so answers to an older one change nothing.
 */
export function wantPower(draft: Draft, want: PowerWant, soft = false): void {
  if (!isControllable(draft.machine)) {
    dropWant(draft);
    return;
  }
  Object.assign(draft.machine, {
    powerWant: want,
    powerSoft: soft,
    powerTries: 0,
    generation: draft.machine.generation + 1,
    nextAt: draft.context.now,
    waitingFor: null,
  } satisfies Partial<MachineState>);
}

/**
 * Want the machine to boot from the start. Only a machine known to be off is just switched on: "on" leaves a running
 * machine alone, and whoever is running is not in the system we need; "cycle" of one that is off is the same as "on".
 */
export function wantBoot(draft: Draft): void {
  const { bootServiceDown } = draft.machine.facts;
  if (bootServiceDown !== null) {
    emit(draft, 'NODE_STATUS_EVENT', 'WARNING', refusal('rack.service_down', bootServiceDown).message);
  }
  wantPower(draft, draft.machine.powerState === 'off' ? 'on' : 'cycle');
}

/** Nothing is wanted of the power any more. The generation stays: an answer that comes still is about this want. */
export function dropWant(draft: Draft): void {
  Object.assign(draft.machine, {
    powerWant: null,
    powerSoft: false,
    powerTries: 0,
    nextAt: null,
  } satisfies Partial<MachineState>);
}

/** Close the draft: what follows from the rest of the row (boot target, what is waited for) is derived here only. */
export function settle(draft: Draft, note?: 'no-op' | 'stale'): Decision {
  const machine = draft.machine;
  machine.waitingFor = waitingOf(draft);
  machine.bootTarget = bootTargetOf(machine);
  return {
    ok: true,
    machine,
    events: draft.events,
    effects: draft.effects,
    ...(note ? { note } : {}),
    ...(draft.closed ? { closed: draft.closed } : {}),
  };
}

function waitingOf(draft: Draft): MachineState['waitingFor'] {
  const { machine, context } = draft;
  const open = openAttemptOf(machine);
  if (open !== null) {
    const code = open.phase === 'power' && isManual(machine) ? 'power.manual' : open.phase;
    const deadline = open.deadline ?? open.phaseSince + limitOf(open.phase, context.phaseLimits);
    return { code, since: open.phaseSince, deadline };
  }
  if (machine.powerWant === null) {
    return machine.waitingFor?.code === FAST_TRACK && machine.powerState !== 'off' ? machine.waitingFor : null;
  }
  // A want outside an attempt (power off after a failure, a person's power-on) is a wait like any other.
  const phase = machine.powerWant === 'off' ? 'power-off' : 'power';
  if (machine.waitingFor?.code === phase) return machine.waitingFor;
  return { code: phase, since: context.now, deadline: context.now + limitOf(phase, context.phaseLimits) };
}
