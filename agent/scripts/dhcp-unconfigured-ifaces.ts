import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ethernetNames, readText } from '../devices.ts';
import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

const ASK_SCRIPT = '/run/ingot/udhcpc.sh';
/** Time a port gets to find its link. */
const LINK_WAIT_MS = 3000;

/** 20-maas-02-dhcp-unconfigured-ifaces: an address for every linked port that has none, so that its subnet becomes known. */
export const dhcpUnconfiguredIfaces: Builtin = async ({ devices }) => {
  await devices();
  const names = await ethernetNames();
  const { stdout } = await runTool('ip', ['-j', 'address'], { timeoutSeconds: 20 });
  const links: unknown = JSON.parse(stdout || '[]');
  const idle = unconfiguredPorts(Array.isArray(links) ? links : [], new Set(names));
  if (idle.length === 0) return passed('Every port with a link has an address.\n');
  // busybox only asks; address and prefix are set here. No route: the way to the rack must stay.
  await writeFile(
    ASK_SCRIPT,
    '#!/bin/sh\n[ "$1" = bound ] && ip address replace "$ip/$mask" dev "$interface"\nexit 0\n',
    {
      mode: 0o755,
    },
  );
  const texts = await Promise.all(idle.map(askOn));
  return passed(texts.join('\n'));
};

async function askOn(name: string): Promise<string> {
  await runTool('ip', ['link', 'set', name, 'up'], { timeoutSeconds: 5 });
  for (let waited = 0; (await readText(`/sys/class/net/${name}/carrier`)) !== '1'; waited += 250) {
    if (waited >= LINK_WAIT_MS) return `${name}: no link`;
    await sleep(250);
  }
  const asked = await runTool('busybox', ['udhcpc', '-i', name, '-n', '-q', '-t', '3', '-T', '1', '-s', ASK_SCRIPT], {
    timeoutSeconds: 10,
  });
  return `${name}: ${asked.combined.trim()}`;
}

/** Those of `names` that have no IPv4 address. */
export function unconfiguredPorts(links: unknown[], names: Set<string>): string[] {
  return links.flatMap((link) => {
    const { ifname, addr_info: info } = { ifname: '', addr_info: [], ...Object(link) };
    if (typeof ifname !== 'string' || !names.has(ifname)) return [];
    const addresses: unknown[] = Array.isArray(info) ? info : [];
    const hasIpv4 = addresses.some((entry) => Object(entry).family === 'inet');
    return hasIpv4 ? [] : [ifname];
  });
}
