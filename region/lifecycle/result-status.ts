/** Status numbers of script results in the MAAS API. */
export const RESULT_STATUS = {
  pending: 0,
  running: 1,
  passed: 2,
  failed: 3,
  timedout: 4,
  aborted: 5,
  degraded: 6,
  installing: 7,
  failedInstalling: 8,
  skipped: 9,
  applyingNetconf: 10,
  failedApplyingNetconf: 11,
} as const;

/** What both APIs call them, by number (commissioning-and-scripts.md). */
export const RESULT_STATUS_NAMES: readonly string[] = [
  'Pending',
  'Running',
  'Passed',
  'Failed',
  'Timed out',
  'Aborted',
  'Degraded',
  'Installing dependencies',
  'Failed installing dependencies',
  'Skipped',
  'Applying custom network configuration',
  'Failed to apply custom network configuration',
];

/** Not finished: pending, running and its two kinds. */
export const UNFINISHED: readonly number[] = [0, 1, 7, 10];

/** Type numbers of script sets in the MAAS API. */
export const SET_TYPE = { commissioning: 0, installation: 1, testing: 2, release: 3, deployment: 4 } as const;
export type SetKind = keyof typeof SET_TYPE;
/** The same by number. */
export const SET_KINDS: readonly SetKind[] = ['commissioning', 'installation', 'testing', 'release', 'deployment'];

/** Column of `machines` that points at the current set of a kind. */
export const SET_COLUMN = {
  commissioning: 'set_commissioning',
  installation: 'set_installation',
  testing: 'set_testing',
  release: 'set_release',
  deployment: 'set_deployment',
} as const satisfies Record<SetKind, string>;

/** Result of an installation set: the installer's log. */
export const INSTALL_LOG = '/tmp/install.log';
