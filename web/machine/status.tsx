import type { MachineView } from '@ingot/contract/native.ts';
import type { Status } from '@ingot/core/machine/status.ts';
import { Mark, type Mood } from '../shell/mark.tsx';

const MOODS: Record<Status, Mood> = {
  NEW: 'idle',
  COMMISSIONING: 'work',
  FAILED_COMMISSIONING: 'bad',
  MISSING: 'bad',
  READY: 'good',
  RESERVED: 'idle',
  DEPLOYED: 'good',
  RETIRED: 'idle',
  BROKEN: 'bad',
  DEPLOYING: 'work',
  ALLOCATED: 'idle',
  FAILED_DEPLOYMENT: 'bad',
  RELEASING: 'work',
  FAILED_RELEASING: 'bad',
  DISK_ERASING: 'work',
  FAILED_DISK_ERASING: 'bad',
  RESCUE_MODE: 'idle',
  ENTERING_RESCUE_MODE: 'work',
  FAILED_ENTERING_RESCUE_MODE: 'bad',
  EXITING_RESCUE_MODE: 'work',
  FAILED_EXITING_RESCUE_MODE: 'bad',
  TESTING: 'work',
  FAILED_TESTING: 'bad',
};

export function StatusMark({ machine }: { machine: MachineView }) {
  return (
    <>
      <Mark mood={MOODS[machine.status]}>{machine.statusName}</Mark>
      {machine.locked ? <span className="tag">Locked</span> : null}
    </>
  );
}

const POWER = { on: 'On', off: 'Off', unknown: 'Unknown', error: 'Error' } as const;
const POWER_MOOD = { on: 'good', off: 'idle', unknown: 'idle', error: 'bad' } as const;

export function PowerMark({ machine }: { machine: MachineView }) {
  return (
    <span className="mark">
      <svg
        className="sign"
        data-mood={POWER_MOOD[machine.powerState]}
        viewBox="0 0 12 12"
        width="12"
        height="12"
        aria-hidden="true"
      >
        <path
          d="M6 1v5M3.3 2.8a4.4 4.4 0 1 0 5.4 0"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.5"
          strokeLinecap="round"
        />
      </svg>
      <span>{POWER[machine.powerState]}</span>
    </span>
  );
}
