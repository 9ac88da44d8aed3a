import type { Actor, Attempt, AttemptKind, DecideContext, MachineState, Phase } from './model.ts';
import type { Status } from './status.ts';
import { hasWork, type WorkStatus } from './transitions.ts';

export const NOW = 1_800_000_000_000;
export const ADMIN: Actor = { kind: 'user', id: 1, name: 'admin', admin: true };
export const USER: Actor = { kind: 'user', id: 2, name: 'user', admin: false };
export const OTHER: Actor = { kind: 'user', id: 3, name: 'other', admin: false };
export const SYSTEM: Actor = { kind: 'system' };
export const AGENT: Actor = { kind: 'agent' };
export const TIMER: Actor = { kind: 'timer' };

export function context(over: Partial<DecideContext> = {}): DecideContext {
  const settings = { eraseOnRelease: false, secureErase: false, quickErase: false };
  return { now: NOW, attemptId: 100, nodeTimeout: 30, settings, ...over };
}

const WORK: Record<WorkStatus, { kind: AttemptKind; phase: Phase }> = {
  COMMISSIONING: { kind: 'commission', phase: 'agent' },
  TESTING: { kind: 'test', phase: 'agent' },
  DEPLOYING: { kind: 'deploy', phase: 'agent' },
  RELEASING: { kind: 'release', phase: 'power-off' },
  DISK_ERASING: { kind: 'erase', phase: 'agent' },
  ENTERING_RESCUE_MODE: { kind: 'rescue', phase: 'agent' },
  EXITING_RESCUE_MODE: { kind: 'exit-rescue', phase: 'power-off' },
};

const OWNED: Status[] = [
  'ALLOCATED',
  'DEPLOYING',
  'DEPLOYED',
  'FAILED_DEPLOYMENT',
  'RELEASING',
  'FAILED_RELEASING',
  'DISK_ERASING',
  'FAILED_DISK_ERASING',
  'RESERVED',
];

/** What a machine that was worked on normally looks like in `status`: healthy, ipmi, with everything it needs. */
export function machineIn(status: Status, over: Partial<MachineState> = {}): MachineState {
  const attempt: Attempt | null = hasWork(status)
    ? {
        id: 7,
        ...WORK[status],
        startedAt: NOW - 60_000,
        endedAt: null,
        outcome: null,
        failure: null,
        phaseSince: NOW - 10_000,
        deadline: NOW + 290_000,
        lastEvidence: { kind: 'dhcp.lease', text: '10.0.0.5 to 52:54:00:00:00:01', at: NOW - 20_000 },
        agentSeen: true,
      }
    : null;
  const deployed = ['DEPLOYING', 'DEPLOYED', 'FAILED_DEPLOYMENT', 'DISK_ERASING', 'FAILED_DISK_ERASING'];
  const previousStatus = over.previousStatus ?? previousOf(status);
  const exiting = status === 'EXITING_RESCUE_MODE';
  const want = exiting && previousStatus === 'DEPLOYED' ? 'cycle' : exiting || status === 'RELEASING' ? 'off' : null;
  const has = deployed.includes(status);
  return {
    systemId: '4y3h7n',
    hostname: 'calm-fox',
    status,
    previousStatus,
    statusSince: NOW - 60_000,
    owner: OWNED.includes(status) ? { id: 2, name: 'user' } : null,
    locked: false,
    dynamic: false,
    powerType: 'ipmi',
    powerState: 'on',
    powerWant: want,
    powerSoft: false,
    generation: 5,
    powerTries: 0,
    nextAt: want === null ? null : NOW,
    bootTarget: 'ephemeral',
    waitingFor: attempt === null ? null : { code: attempt.phase, since: attempt.phaseSince, deadline: NOW + 290_000 },
    attempt,
    enlisting: false,
    netboot: true,
    agentName: '',
    osystem: has ? 'debian' : '',
    distroSeries: has ? 'bookworm' : '',
    hweKernel: '',
    errorDescription: '',
    enableSsh: false,
    skipNetworking: false,
    skipStorage: false,
    skipBmcConfig: false,
    erase: { enabled: false, secure: false, quick: false },
    ephemeralDeploy: false,
    facts: {
      architecture: 'amd64/generic',
      interfaceCount: 1,
      linkedInterfaceCount: 1,
      diskCount: 1,
      commissioning: 'passed',
      ownerHasSshKey: true,
      ephemeralImage: true,
      rackConnected: true,
      bootServiceDown: null,
      diskTooSmall: null,
      agentWaiting: false,
    },
    ...over,
  };
}

/** The status from which one usually arrives. */
function previousOf(status: Status): Status {
  switch (status) {
    case 'DEPLOYED':
    case 'FAILED_DEPLOYMENT':
      return 'DEPLOYING';
    case 'DEPLOYING':
      return 'ALLOCATED';
    case 'FAILED_TESTING':
      return 'TESTING';
    case 'NEW':
    case 'COMMISSIONING':
      return 'NEW';
    case 'FAILED_COMMISSIONING':
      return 'COMMISSIONING';
    case 'RELEASING':
    case 'DISK_ERASING':
      return 'DEPLOYED';
    case 'FAILED_RELEASING':
      return 'RELEASING';
    case 'FAILED_DISK_ERASING':
      return 'DISK_ERASING';
    default:
      return 'READY';
  }
}
