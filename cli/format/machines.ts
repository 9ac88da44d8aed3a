import type { MachineView } from '@ingot/contract/native.ts';
import type { Palette } from './colour.ts';
import { table } from './table.ts';
import { size } from './words.ts';

/** The list as people read it. */
export function machineTable(machines: readonly MachineView[], colours: Palette): string {
  if (machines.length === 0) return 'No machines.\n';
  return table(
    ['NAME', 'STATUS', 'POWER', 'OWNER', 'POOL', 'ZONE', 'CORES', 'MEMORY', 'DISKS', 'ADDRESS', 'TAGS'],
    machines.map((machine) => [
      machine.hostname,
      paintStatus(machine, colours),
      machine.powerState,
      machine.owner ?? '–',
      machine.pool,
      machine.zone,
      machine.cpuCount === 0 ? '–' : String(machine.cpuCount),
      size(machine.memory * 2 ** 20),
      disksOf(machine),
      machine.addresses[0] ?? '–',
      machine.tags.join(','),
    ]),
  );
}

/** Of several disks only the sum is known here: a mean would be the size of none of them. */
function disksOf({ diskCount, storage }: MachineView): string {
  if (diskCount === 0) return '–';
  return diskCount === 1 ? `1 × ${size(storage)}` : `${diskCount}, ${size(storage)}`;
}

export function paintStatus(machine: MachineView, colours: Palette): string {
  const text = machine.statusName + (machine.locked ? ' (locked)' : '');
  if (machine.status.startsWith('FAILED') || machine.status === 'BROKEN') return colours.red(text);
  if (machine.waitingFor) return colours.yellow(text);
  return machine.status === 'DEPLOYED' || machine.status === 'READY' ? colours.green(text) : text;
}
