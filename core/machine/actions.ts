import { STATUSES, type Status } from './status.ts';
import { RELEASABLE } from './transitions.ts';

/** What a person may ask of a machine, in the order in which clients show it. The native API's Action is made of it. */
export const LIFECYCLE_ACTIONS = [
  'accept',
  'commission',
  'test',
  'abort',
  'allocate',
  'deploy',
  'release',
  'rescue',
  'exit-rescue',
  'mark-broken',
  'mark-fixed',
  'override-failed-testing',
  'lock',
  'unlock',
  'power-on',
  'power-off',
  'delete',
] as const;
export type LifecycleAction = (typeof LIFECYCLE_ACTIONS)[number];
/** mark-failed is asked through the API only; clients do not offer it. */
export type Action = LifecycleAction | 'mark-failed';

export type Permission = 'edit' | 'admin' | 'lock' | 'owner';

/** What must be there before the action can do anything; checked in this order. */
export const NEEDS = [
  'power',
  'rack',
  'interface',
  'link',
  'commissioned',
  'ephemeral-image',
  'image',
  'storage',
  'ssh-key',
] as const;
export type Need = (typeof NEEDS)[number];

export interface ActionRule {
  /** Statuses in which it is done. */
  statuses: readonly Status[];
  /** Statuses in which it is accepted and changes nothing. */
  silent: readonly Status[];
  permission: Permission;
  needs: readonly Need[];
  /** As a sentence says it: "Deploy". */
  name: string;
  /** Wording that clients know for a wrong status. `%s` is the status label. */
  wrong?: string;
}

const BUSY: readonly Status[] = [
  'COMMISSIONING',
  'TESTING',
  'DEPLOYING',
  'RELEASING',
  'DISK_ERASING',
  'ENTERING_RESCUE_MODE',
  'EXITING_RESCUE_MODE',
];
const IDLE = STATUSES.filter((status) => !BUSY.includes(status));
const FAILED = STATUSES.filter((status) => status.startsWith('FAILED_'));

export const RULES: Readonly<Record<Action, ActionRule>> = {
  accept: {
    name: 'Accept',
    statuses: ['NEW'],
    silent: ['READY', 'COMMISSIONING'],
    permission: 'admin',
    needs: ['power', 'rack', 'interface', 'ephemeral-image'],
  },
  commission: {
    name: 'Commission',
    statuses: ['NEW', 'FAILED_COMMISSIONING', 'READY', 'BROKEN'],
    silent: [],
    permission: 'admin',
    needs: ['power', 'rack', 'interface', 'ephemeral-image'],
    wrong: 'Commission is not available because of the current state of the node.',
  },
  test: {
    name: 'Test',
    statuses: [
      'FAILED_COMMISSIONING',
      'NEW',
      'READY',
      'RESERVED',
      'ALLOCATED',
      'FAILED_DEPLOYMENT',
      'DEPLOYED',
      'MISSING',
      'RETIRED',
      'BROKEN',
      'RESCUE_MODE',
      'FAILED_RELEASING',
      'FAILED_DISK_ERASING',
      'FAILED_ENTERING_RESCUE_MODE',
      'FAILED_EXITING_RESCUE_MODE',
      'FAILED_TESTING',
    ],
    silent: [],
    permission: 'admin',
    needs: ['power', 'rack', 'interface', 'commissioned', 'ephemeral-image'],
    wrong: 'Test is not available because of the current state of the node.',
  },
  abort: {
    name: 'Abort',
    statuses: ['COMMISSIONING', 'TESTING', 'DEPLOYING', 'DISK_ERASING'],
    silent: [],
    permission: 'edit',
    needs: [],
    wrong: 'Cannot abort in current state',
  },
  allocate: { name: 'Allocate', statuses: ['READY'], silent: [], permission: 'edit', needs: [] },
  deploy: {
    name: 'Deploy',
    statuses: ['READY', 'ALLOCATED'],
    silent: [],
    permission: 'edit',
    needs: ['power', 'rack', 'interface', 'link', 'ephemeral-image', 'image', 'storage', 'ssh-key'],
    wrong: "Can't deploy a machine that is in the '%s' state",
  },
  release: {
    name: 'Release',
    statuses: RELEASABLE,
    silent: ['READY', 'RELEASING'],
    permission: 'edit',
    // Only when something has to run in the machine first (erase, release scripts).
    needs: ['power', 'rack', 'ephemeral-image'],
    wrong: "Machine cannot be released in its current state ('%s').",
  },
  rescue: {
    name: 'Rescue mode',
    // Upstream lists FAILED_EXITING_RESCUE_MODE too, and then refuses it by its transition table.
    statuses: [
      'NEW',
      'FAILED_COMMISSIONING',
      'READY',
      'RESERVED',
      'ALLOCATED',
      'FAILED_DEPLOYMENT',
      'DEPLOYED',
      'MISSING',
      'RETIRED',
      'BROKEN',
      'FAILED_DISK_ERASING',
      'FAILED_ENTERING_RESCUE_MODE',
      'FAILED_TESTING',
    ],
    silent: [],
    permission: 'admin',
    needs: ['power', 'rack', 'interface', 'ephemeral-image'],
  },
  'exit-rescue': {
    name: 'Leaving rescue mode',
    statuses: ['RESCUE_MODE', 'ENTERING_RESCUE_MODE', 'FAILED_ENTERING_RESCUE_MODE', 'FAILED_EXITING_RESCUE_MODE'],
    silent: [],
    permission: 'admin',
    needs: [],
  },
  'mark-broken': { name: 'Mark broken', statuses: STATUSES, silent: [], permission: 'owner', needs: [] },
  'mark-fixed': { name: 'Mark fixed', statuses: ['BROKEN'], silent: [], permission: 'admin', needs: [] },
  'mark-failed': { name: 'Mark failed', statuses: BUSY, silent: ['NEW', ...FAILED], permission: 'edit', needs: [] },
  'override-failed-testing': {
    name: 'Override failed testing',
    statuses: ['FAILED_TESTING'],
    silent: [],
    permission: 'admin',
    needs: [],
  },
  lock: {
    name: 'Lock',
    statuses: ['DEPLOYED', 'DEPLOYING'],
    silent: [],
    permission: 'lock',
    needs: [],
    wrong: "Can't lock, node is not deployed or deploying",
  },
  unlock: { name: 'Unlock', statuses: STATUSES, silent: [], permission: 'lock', needs: [] },
  'power-on': {
    name: 'Power on',
    // With an owner also in any other status without work, except ALLOCATED, where switching on means deploying.
    statuses: ['DEPLOYING', 'DEPLOYED', 'BROKEN'],
    silent: [],
    permission: 'edit',
    needs: ['power', 'rack'],
  },
  'power-off': { name: 'Power off', statuses: IDLE, silent: [], permission: 'edit', needs: ['power', 'rack'] },
  delete: { name: 'Delete', statuses: STATUSES, silent: [], permission: 'admin', needs: [] },
};
