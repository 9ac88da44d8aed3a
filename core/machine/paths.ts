import { type LifecycleAction, RULES } from './actions.ts';
import type { MachineState } from './model.ts';
import { STATUS_LABELS, type Status } from './status.ts';
import { hasWork, RESET_TO_READY, type WorkStatus } from './transitions.ts';

/** Where a status with work ends when all goes well. */
const ENDS_IN: Record<WorkStatus, (previous: Status) => Status> = {
  COMMISSIONING: () => 'READY',
  DEPLOYING: () => 'DEPLOYED',
  RELEASING: () => 'READY',
  DISK_ERASING: () => 'READY',
  ENTERING_RESCUE_MODE: () => 'RESCUE_MODE',
  EXITING_RESCUE_MODE: (previous) => previous,
  TESTING: (previous) => (RESET_TO_READY.includes(previous) ? 'READY' : previous),
};

/** Actions that lead somewhere else, most natural first: the order decides between equally short ways. */
const STEPS: readonly [LifecycleAction, (machine: { status: Status; previous: Status }) => Status][] = [
  ['commission', () => 'READY'],
  ['allocate', () => 'ALLOCATED'],
  ['deploy', () => 'DEPLOYED'],
  ['release', () => 'READY'],
  ['override-failed-testing', () => 'READY'],
  ['exit-rescue', ({ previous }) => previous],
  ['mark-fixed', () => 'READY'],
  ['test', ({ status }) => (RESET_TO_READY.includes(status) ? 'READY' : status)],
  ['rescue', () => 'RESCUE_MODE'],
  ['mark-broken', () => 'BROKEN'],
];

/** Actions that only undo something: nobody breaks a machine in order to mark it fixed. */
const NOTHING_TO_UNDO: Partial<Record<LifecycleAction | 'mark-failed', string>> = {
  abort: 'Nothing is running on it that could be aborted.',
  'exit-rescue': 'It is not in rescue mode.',
  'mark-fixed': 'It is not marked broken.',
  'override-failed-testing': 'No failed test holds it back.',
};

/**
 * The shortest way from the machine's status to one in which `action` is possible, as a sentence. Searches over
 * statuses only: whether each step has what it needs is said when it is asked for.
 */
export function wayTo(machine: MachineState, action: LifecycleAction | 'mark-failed'): string {
  const goal = RULES[action].statuses;
  const waits = hasWork(machine.status);
  const start = waits ? ENDS_IN[machine.status as WorkStatus](machine.previousStatus) : machine.status;
  const first = waits ? [waitingWords(machine.status)] : [];
  if (waits && goal.includes(start)) return sentence([...first, RULES[action].name.toLowerCase()]);
  const nothing = NOTHING_TO_UNDO[action];
  if (nothing !== undefined) return nothing;
  // Breadth first over at most the 23 statuses, so it ends.
  const seen = new Set<Status>([start]);
  let front: { status: Status; words: string[] }[] = [{ status: start, words: first }];
  while (front.length > 0) {
    const next: typeof front = [];
    for (const here of front) {
      for (const [step, leads] of STEPS) {
        if (!RULES[step].statuses.includes(here.status)) continue;
        const status = leads({ status: here.status, previous: machine.previousStatus });
        if (seen.has(status)) continue;
        const words = [...here.words, RULES[step].name.toLowerCase()];
        if (goal.includes(status)) return sentence([...words, RULES[action].name.toLowerCase()]);
        seen.add(status);
        next.push({ status, words });
      }
    }
    front = next;
  }
  return `Possible in: ${goal.map((status) => STATUS_LABELS[status]).join(', ')}.`;
}

function waitingWords(status: Status): string {
  const canAbort = RULES.abort.statuses.includes(status);
  return `wait until ${STATUS_LABELS[status].toLowerCase()} is finished${canAbort ? ' (or abort it)' : ''}`;
}

function sentence(words: string[]): string {
  const text = words.join(', then ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
