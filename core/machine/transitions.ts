import type { Status } from './status.ts';

/**
 * Which status may follow which. Staying is always allowed. Two roads bypass the table, as upstream: an abort, and the
 * return to the former status when a start fails at the BMC; see REVERTS below.
 */
export const TRANSITIONS: Readonly<Record<Status, readonly Status[]>> = {
  NEW: ['COMMISSIONING', 'TESTING', 'MISSING', 'READY', 'RETIRED', 'BROKEN', 'ENTERING_RESCUE_MODE'],
  COMMISSIONING: ['FAILED_COMMISSIONING', 'READY', 'RETIRED', 'MISSING', 'NEW', 'BROKEN', 'TESTING'],
  FAILED_COMMISSIONING: ['COMMISSIONING', 'MISSING', 'RETIRED', 'BROKEN', 'ENTERING_RESCUE_MODE', 'TESTING'],
  MISSING: ['NEW', 'READY', 'ALLOCATED', 'COMMISSIONING', 'BROKEN', 'ENTERING_RESCUE_MODE', 'TESTING'],
  READY: ['ENTERING_RESCUE_MODE', 'COMMISSIONING', 'ALLOCATED', 'RESERVED', 'RETIRED', 'MISSING', 'BROKEN', 'TESTING'],
  RESERVED: [
    'READY',
    'ALLOCATED',
    'RETIRED',
    'MISSING',
    'BROKEN',
    'DISK_ERASING',
    'RELEASING',
    'ENTERING_RESCUE_MODE',
    'TESTING',
  ],
  DEPLOYED: ['ALLOCATED', 'MISSING', 'BROKEN', 'READY', 'DISK_ERASING', 'RELEASING', 'ENTERING_RESCUE_MODE', 'TESTING'],
  RETIRED: ['NEW', 'READY', 'MISSING', 'BROKEN', 'ENTERING_RESCUE_MODE', 'TESTING'],
  BROKEN: ['COMMISSIONING', 'READY', 'DISK_ERASING', 'RELEASING', 'ENTERING_RESCUE_MODE', 'TESTING', 'DEPLOYED'],
  DEPLOYING: ['ALLOCATED', 'MISSING', 'BROKEN', 'FAILED_DEPLOYMENT', 'DEPLOYED', 'READY', 'DISK_ERASING', 'RELEASING'],
  ALLOCATED: [
    'READY',
    'RETIRED',
    'MISSING',
    'BROKEN',
    'DEPLOYING',
    'DISK_ERASING',
    'RELEASING',
    'ENTERING_RESCUE_MODE',
    'TESTING',
  ],
  FAILED_DEPLOYMENT: [
    'ALLOCATED',
    'MISSING',
    'BROKEN',
    'READY',
    'DISK_ERASING',
    'RELEASING',
    'ENTERING_RESCUE_MODE',
    'TESTING',
  ],
  RELEASING: [
    'NEW',
    'ALLOCATED',
    'RESERVED',
    'DEPLOYED',
    'READY',
    'BROKEN',
    'MISSING',
    'FAILED_DEPLOYMENT',
    'FAILED_DISK_ERASING',
    'FAILED_RELEASING',
  ],
  FAILED_RELEASING: ['RELEASING', 'DISK_ERASING', 'READY', 'BROKEN', 'TESTING'],
  DISK_ERASING: ['BROKEN', 'DISK_ERASING', 'FAILED_DISK_ERASING', 'READY', 'RELEASING'],
  FAILED_DISK_ERASING: ['DISK_ERASING', 'RELEASING', 'BROKEN', 'ALLOCATED', 'READY', 'ENTERING_RESCUE_MODE', 'TESTING'],
  RESCUE_MODE: ['BROKEN', 'EXITING_RESCUE_MODE', 'TESTING'],
  ENTERING_RESCUE_MODE: [
    'READY',
    'BROKEN',
    'DEPLOYED',
    'RESCUE_MODE',
    'FAILED_ENTERING_RESCUE_MODE',
    'EXITING_RESCUE_MODE',
  ],
  FAILED_ENTERING_RESCUE_MODE: ['BROKEN', 'ENTERING_RESCUE_MODE', 'EXITING_RESCUE_MODE', 'TESTING'],
  EXITING_RESCUE_MODE: [
    'NEW',
    'BROKEN',
    'FAILED_COMMISSIONING',
    'READY',
    'RESERVED',
    'ALLOCATED',
    'FAILED_DEPLOYMENT',
    'DEPLOYED',
    'MISSING',
    'RETIRED',
    'FAILED_RELEASING',
    'FAILED_DISK_ERASING',
    'RESCUE_MODE',
    'FAILED_ENTERING_RESCUE_MODE',
    'FAILED_EXITING_RESCUE_MODE',
    'FAILED_TESTING',
  ],
  FAILED_EXITING_RESCUE_MODE: ['BROKEN', 'EXITING_RESCUE_MODE', 'TESTING'],
  TESTING: [
    'BROKEN',
    'NEW',
    'READY',
    'RESERVED',
    'ALLOCATED',
    'DEPLOYED',
    'COMMISSIONING',
    'FAILED_DEPLOYMENT',
    'FAILED_DISK_ERASING',
    'FAILED_ENTERING_RESCUE_MODE',
    'FAILED_EXITING_RESCUE_MODE',
    'FAILED_RELEASING',
    'FAILED_TESTING',
    'MISSING',
    'RETIRED',
  ],
  FAILED_TESTING: ['COMMISSIONING', 'BROKEN', 'MISSING', 'ENTERING_RESCUE_MODE', 'TESTING', 'READY', 'DEPLOYED'],
};

export function mayFollow(from: Status, to: Status): boolean {
  return from === to || TRANSITIONS[from].includes(to);
}

/** Passing tests that were started from one of these end in READY; from any other status the machine returns to it. */
export const RESET_TO_READY: readonly Status[] = [
  'NEW',
  'COMMISSIONING',
  'FAILED_DEPLOYMENT',
  'MISSING',
  'RETIRED',
  'BROKEN',
  'FAILED_RELEASING',
  'FAILED_DISK_ERASING',
  'FAILED_ENTERING_RESCUE_MODE',
  'FAILED_EXITING_RESCUE_MODE',
  'FAILED_TESTING',
];

/** Statuses in which work is under way, with the status the machine falls to when that work fails. */
export const FAILURE_STATUS = {
  COMMISSIONING: 'FAILED_COMMISSIONING',
  TESTING: 'FAILED_TESTING',
  DEPLOYING: 'FAILED_DEPLOYMENT',
  RELEASING: 'FAILED_RELEASING',
  DISK_ERASING: 'FAILED_DISK_ERASING',
  ENTERING_RESCUE_MODE: 'FAILED_ENTERING_RESCUE_MODE',
  EXITING_RESCUE_MODE: 'FAILED_EXITING_RESCUE_MODE',
} as const satisfies Partial<Record<Status, Status>>;

export type WorkStatus = keyof typeof FAILURE_STATUS;

export function hasWork(status: Status): status is WorkStatus {
  return status in FAILURE_STATUS;
}

/** Statuses from which a machine can be released. */
export const RELEASABLE: readonly Status[] = [
  'ALLOCATED',
  'RESERVED',
  'BROKEN',
  'DEPLOYING',
  'DEPLOYED',
  'FAILED_DEPLOYMENT',
  'FAILED_DISK_ERASING',
  'FAILED_RELEASING',
];

/** A change out of one of these does not touch previousStatus: it keeps the status from before testing or rescue. */
export const KEEPS_PREVIOUS: readonly Status[] = [
  'RESCUE_MODE',
  'ENTERING_RESCUE_MODE',
  'FAILED_ENTERING_RESCUE_MODE',
  'EXITING_RESCUE_MODE',
  'FAILED_EXITING_RESCUE_MODE',
  'TESTING',
];

/** Power seen off in one of these keeps the automatic addresses; in any other status they are given back. */
export const KEEPS_ADDRESSES_WHEN_OFF: readonly Status[] = [
  'COMMISSIONING',
  'DEPLOYED',
  'DEPLOYING',
  'DISK_ERASING',
  'RESCUE_MODE',
  'ENTERING_RESCUE_MODE',
  'TESTING',
];
