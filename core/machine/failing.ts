import { by, type Draft, dropWant, effect, emit, endAttempt, setStatus, wantPower } from './draft.ts';
import type { Actor, DomainEvent, Effect, Failure } from './model.ts';
import type { Status } from './status.ts';
import { FAILURE_STATUS, hasWork, type WorkStatus } from './transitions.ts';

type ResultKind = Extract<Effect, { type: 'abort-results' }>['kinds'][number];

/** Whose pending results end when the work of a status ends early. */
const RESULTS: Record<WorkStatus, ResultKind[]> = {
  COMMISSIONING: ['commissioning', 'testing'],
  TESTING: ['commissioning', 'testing'],
  DEPLOYING: ['installation', 'deployment'],
  RELEASING: ['release'],
  DISK_ERASING: ['release'],
  ENTERING_RESCUE_MODE: [],
  EXITING_RESCUE_MODE: [],
};

const FAILED_EVENTS: Partial<Record<WorkStatus, string>> = {
  COMMISSIONING: 'NODE_COMMISSIONING_EVENT_FAILED',
  DEPLOYING: 'NODE_INSTALL_EVENT_FAILED',
  ENTERING_RESCUE_MODE: 'NODE_ENTERING_RESCUE_MODE_EVENT_FAILED',
  EXITING_RESCUE_MODE: 'NODE_EXITING_RESCUE_MODE_EVENT_FAILED',
};

export function abortResults(draft: Draft, status: 'aborted' | 'failed' | 'timedout'): void {
  const now = draft.machine.status;
  const kinds = hasWork(now) ? RESULTS[now] : [];
  if (kinds.length > 0) effect(draft, { type: 'abort-results', kinds, status });
}

export interface FailOptions {
  results?: 'aborted' | 'failed' | 'timedout';
  actor?: Actor;
  comment?: string;
  /** The BMC just proved useless, or the machine may be in use: leave its power alone. */
  leavePower?: boolean;
}

/** The work under way has failed: failure status, attempt closed with its failure, results ended, machine off. */
export function fail(draft: Draft, failure: Failure, options: FailOptions = {}): void {
  const from = draft.machine.status;
  if (!hasWork(from)) return;
  abortResults(draft, options.results ?? 'aborted');
  endAttempt(draft, 'failed', failure);
  setStatus(draft, FAILURE_STATUS[from]);
  draft.machine.errorDescription = failure.message;
  draft.machine.enlisting = false;
  tellFailure(draft, from, failure, options);
  // Who leaves rescue mode may have got his own system back: its power is not ours any more.
  const keepOn = options.leavePower || draft.machine.enableSsh || from === 'EXITING_RESCUE_MODE';
  if (keepOn) dropWant(draft);
  else wantPower(draft, 'off');
}

function tellFailure(draft: Draft, from: WorkStatus, failure: Failure, options: FailOptions): void {
  if (options.actor?.kind === 'user') {
    emit(draft, 'REQUEST_NODE_MARK_FAILED', 'DEBUG', by(options.actor, options.comment));
  }
  const level: DomainEvent['level'] = 'ERROR';
  emit(draft, FAILED_EVENTS[from] ?? 'REQUEST_NODE_MARK_FAILED_SYSTEM', level, failure.message);
}

/**
 * The BMC could not start the work, so nothing has been touched in the machine: back to the status before it. Past
 * work (DISK_ERASING out of DEPLOYING, say) cannot be taken up again, so that becomes the failure status.
 */
export function revertStart(draft: Draft, failure: Failure): void {
  const from = draft.machine.status;
  if (!hasWork(from)) return;
  const back: Status = from === 'DEPLOYING' ? 'ALLOCATED' : draft.machine.previousStatus;
  const unstartable = from === 'RELEASING' || from === 'EXITING_RESCUE_MODE' || hasWork(back);
  if (unstartable) {
    fail(draft, failure, { leavePower: true });
    return;
  }
  const text = `(system) - Aborting ${from} and reverting to ${back}. Unable to power control the node. Please check power credentials.`;
  emit(draft, 'NODE_POWER_QUERY_FAILED', 'WARNING', text);
  abortResults(draft, 'aborted');
  endAttempt(draft, 'failed', failure);
  setStatus(draft, back);
  if (back === 'ALLOCATED')
    Object.assign(draft.machine, { osystem: '', distroSeries: '', hweKernel: '', netboot: true });
  draft.machine.enlisting = false;
  draft.machine.errorDescription = failure.message;
  emit(draft, 'REQUEST_NODE_MARK_FAILED_SYSTEM', 'ERROR', failure.message);
  dropWant(draft);
}
