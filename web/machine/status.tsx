import type { MachineView } from '@ingot/contract/native.ts';
import type { Status } from '@ingot/core/machine/status.ts';
import { Badge, Group, Text } from '@mantine/core';

type Mood = 'work' | 'good' | 'idle' | 'bad';

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

// Sign, word and colour together: colour alone says nothing to many readers.
const SIGNS: Record<Mood, { sign: string; colour: string }> = {
  work: { sign: '◐', colour: 'blue' },
  good: { sign: '●', colour: 'green' },
  idle: { sign: '○', colour: 'gray' },
  bad: { sign: '▲', colour: 'red' },
};

export function StatusMark({ machine }: { machine: MachineView }) {
  const { sign, colour } = SIGNS[MOODS[machine.status]];
  return (
    <Group gap={6} wrap="nowrap" display="inline-flex">
      <Text span c={`var(--mantine-color-${colour}-text)`} aria-hidden="true">
        {sign}
      </Text>
      <span>{machine.statusName}</span>
      {machine.locked ? (
        <Badge size="xs" variant="outline" color="gray">
          Locked
        </Badge>
      ) : null}
    </Group>
  );
}

const POWER = { on: 'On', off: 'Off', unknown: 'Unknown', error: 'Error' } as const;

export function PowerMark({ machine }: { machine: MachineView }) {
  const colour = machine.powerState === 'on' ? 'green' : machine.powerState === 'error' ? 'red' : 'gray';
  return (
    <Group gap={6} wrap="nowrap" display="inline-flex">
      <Text span c={`var(--mantine-color-${colour}-text)`} aria-hidden="true">
        {machine.powerState === 'on' ? '⏻' : '⭘'}
      </Text>
      <span>{POWER[machine.powerState]}</span>
    </Group>
  );
}
