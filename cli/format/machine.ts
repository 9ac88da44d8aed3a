import type { MachineDetail } from '@ingot/contract/native.ts';
import type { Palette } from './colour.ts';
import { paintStatus } from './machines.ts';
import { duration, relative, size } from './words.ts';

/** What a machine is and how it is, one fact a line. `now` in ms. */
export function summary(machine: MachineDetail, now: number, colours: Palette): string {
  const since = duration(Math.max(0, Math.round((now - Date.parse(machine.statusSince)) / 1000)));
  const facts: [string, string][] = [
    ['status', `${paintStatus(machine, colours)} for ${since}`],
    ['owner', machine.owner ?? 'nobody'],
    ['power', `${machine.powerState}${machine.powerType === '' ? ', no power type' : ` by ${machine.powerType}`}`],
    ['place', `zone ${machine.zone}, pool ${machine.pool}${tagsOf(machine)}`],
    ['hardware', hardwareOf(machine)],
    ['disks', machine.disks.map((disk) => `${disk.name} ${size(disk.size)}`).join(', ') || 'none known'],
    ['network', networkOf(machine) || 'none known'],
  ];
  if (machine.osystem !== '') facts.push(['system', `${machine.osystem}/${machine.distroSeries}`]);
  if (machine.errorDescription !== '') facts.push(['error', colours.red(machine.errorDescription)]);
  if (machine.waitingFor) {
    const { code, deadline } = machine.waitingFor;
    const until = relative(Date.parse(deadline), now);
    facts.push([
      'waiting for',
      code === 'fast-track' ? `more work (fast track), goes off ${until}` : `${code}, gives up ${until}`,
    ]);
  }
  const title = `${colours.bold(machine.fqdn)} (${machine.systemId})`;
  return `${[title, ...facts.map(([name, value]) => `  ${name.padEnd(12)}${value}`)].join('\n')}\n`;
}

function tagsOf(machine: MachineDetail): string {
  return machine.tags.length === 0 ? '' : `, tags ${machine.tags.join(', ')}`;
}

function hardwareOf(machine: MachineDetail): string {
  const cores = machine.cpuCount === 0 ? 'cores unknown' : `${machine.cpuCount} cores`;
  const firmware = machine.firmware === 'unknown' ? '' : `, ${machine.firmware.toUpperCase()}`;
  return `${machine.architecture || 'architecture unknown'}, ${cores}, ${size(machine.memory * 2 ** 20)}${firmware}`;
}

function networkOf(machine: MachineDetail): string {
  const interfaces = machine.interfaces.map((nic) => `${nic.name} ${nic.mac}`).join(', ');
  return [interfaces, machine.addresses.join(', ')].filter((part) => part !== '').join('; ');
}
