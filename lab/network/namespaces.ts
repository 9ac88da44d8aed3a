import { command, tryCommand } from '../run/command.ts';
import { endProcesses, identify } from '../run/process-identity.ts';
import type { AddressPlan } from './address-plan.ts';

/** `fabric` holds the switch, the machines and their BMCs; `rack` holds the boot plane; only a cable joins them. */
export interface Namespaces {
  fabric: string;
  rack: string;
}

export const RACK_INTERFACE = 'eth0';

export function inNamespace(namespace: string, argv: string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...argv];
}

export function tapName(index: number): string {
  return `tap${index}`;
}

/** Builds both namespaces; deleting them takes everything in them away. The host's own network is not touched. */
export async function createNamespaces(names: Namespaces, plan: AddressPlan, machines: number): Promise<void> {
  const { fabric, rack } = names;
  await command(['ip', 'netns', 'add', fabric]);
  await command(['ip', 'netns', 'add', rack]);
  const lines = [
    'link set lo up',
    'link add br0 type bridge stp_state 0 forward_delay 0',
    'link set br0 up',
    `link add cable type veth peer name ${RACK_INTERFACE} netns ${rack}`,
    'link set cable master br0 up',
    `addr add ${plan.router}/${plan.prefixLength} dev br0`,
    'addr add fd77::fe/64 dev br0 nodad',
  ];
  for (let index = 0; index < machines; index += 1) {
    lines.push(`tuntap add ${tapName(index)} mode tap`);
    lines.push(`link set ${tapName(index)} master br0 up`);
    lines.push(`addr add ${plan.bmc(index)}/${plan.prefixLength} dev br0`);
  }
  for (const line of lines) await command(['ip', '-n', fabric, ...line.split(' ')]);
  const rackLines = [
    'link set lo up',
    `addr add ${plan.rack}/${plan.prefixLength} dev ${RACK_INTERFACE}`,
    `addr add fd77::1/64 dev ${RACK_INTERFACE} nodad`,
    `link set ${RACK_INTERFACE} up`,
  ];
  for (const line of rackLines) await command(['ip', '-n', rack, ...line.split(' ')]);
  // Where the host filters bridged frames, its rules would apply to the lab's switch. The setting exists only there.
  await tryCommand(inNamespace(fabric, ['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0']));
}

/** A namespace for another rack, with a cable of its own to the switch. */
export async function createRackNamespace(fabric: string, rack: string, cidr: string): Promise<void> {
  await command(['ip', 'netns', 'add', rack]);
  await command([
    'ip',
    '-n',
    fabric,
    ...`link add cable2 type veth peer name ${RACK_INTERFACE} netns ${rack}`.split(' '),
  ]);
  await command(['ip', '-n', fabric, ...'link set cable2 master br0 up'.split(' ')]);
  for (const line of ['link set lo up', `addr add ${cidr} dev ${RACK_INTERFACE}`, `link set ${RACK_INTERFACE} up`]) {
    await command(['ip', '-n', rack, ...line.split(' ')]);
  }
}

/** What a power cut does to a host: every process in the namespace is killed at once. */
export async function killNamespace(namespace: string): Promise<void> {
  const listed = await command(['ip', 'netns', 'pids', namespace]);
  for (const pid of listed.split('\n').map(Number).filter(Boolean)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended with its parent.
    }
  }
}

/** Ends every process in the namespace (ours by construction: we made it) and removes it. */
export async function removeNamespace(namespace: string): Promise<void> {
  const listed = await tryCommand(['ip', 'netns', 'pids', namespace]);
  const pids = listed.stdout.split('\n').map(Number).filter(Boolean);
  const identities = (await Promise.all(pids.map(identify))).filter((identity) => identity !== null);
  await endProcesses(identities, 3000);
  await tryCommand(['ip', 'netns', 'del', namespace]);
}

/**
 * The site's router: sends router advertisements only. Without any, iPXE waits 16 s for IPv6 after DHCP has succeeded,
 * which no real site with a router sees.
 */
export function routerCommand(fabric: string): string[] {
  return inNamespace(fabric, [
    'dnsmasq',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    '--interface=br0',
    '--bind-interfaces',
    '--enable-ra',
    '--ra-param=br0,10',
    '--dhcp-range=fd77::,ra-only',
    '--dhcp-leasefile=/dev/null',
    '--user=root',
    '--pid-file=',
    '--log-facility=-',
  ]);
}
