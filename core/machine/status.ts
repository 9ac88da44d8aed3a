/**
 * The 23 machine statuses of the MAAS 2.0 API: number, constant, label. Clients compare both the number and the label.
 * Label 13 really reads "Releasing failed".
 */
export const STATUS_NUMBERS = {
  NEW: 0,
  COMMISSIONING: 1,
  FAILED_COMMISSIONING: 2,
  MISSING: 3,
  READY: 4,
  RESERVED: 5,
  DEPLOYED: 6,
  RETIRED: 7,
  BROKEN: 8,
  DEPLOYING: 9,
  ALLOCATED: 10,
  FAILED_DEPLOYMENT: 11,
  RELEASING: 12,
  FAILED_RELEASING: 13,
  DISK_ERASING: 14,
  FAILED_DISK_ERASING: 15,
  RESCUE_MODE: 16,
  ENTERING_RESCUE_MODE: 17,
  FAILED_ENTERING_RESCUE_MODE: 18,
  EXITING_RESCUE_MODE: 19,
  FAILED_EXITING_RESCUE_MODE: 20,
  TESTING: 21,
  FAILED_TESTING: 22,
} as const;

export type Status = keyof typeof STATUS_NUMBERS;

export const STATUSES = Object.keys(STATUS_NUMBERS) as Status[];

export const STATUS_LABELS: Record<Status, string> = {
  NEW: 'New',
  COMMISSIONING: 'Commissioning',
  FAILED_COMMISSIONING: 'Failed commissioning',
  MISSING: 'Missing',
  READY: 'Ready',
  RESERVED: 'Reserved',
  DEPLOYED: 'Deployed',
  RETIRED: 'Retired',
  BROKEN: 'Broken',
  DEPLOYING: 'Deploying',
  ALLOCATED: 'Allocated',
  FAILED_DEPLOYMENT: 'Failed deployment',
  RELEASING: 'Releasing',
  FAILED_RELEASING: 'Releasing failed',
  DISK_ERASING: 'Disk erasing',
  FAILED_DISK_ERASING: 'Failed disk erasing',
  RESCUE_MODE: 'Rescue mode',
  ENTERING_RESCUE_MODE: 'Entering rescue mode',
  FAILED_ENTERING_RESCUE_MODE: 'Failed to enter rescue mode',
  EXITING_RESCUE_MODE: 'Exiting rescue mode',
  FAILED_EXITING_RESCUE_MODE: 'Failed to exit rescue mode',
  TESTING: 'Testing',
  FAILED_TESTING: 'Failed testing',
};
