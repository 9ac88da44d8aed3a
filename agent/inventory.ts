import { readdir, readFile, realpath } from 'node:fs/promises';
import type { Inventory } from '@ingot/contract/agent.ts';
import { devicesSettled, diskLinks, firmwareSeen, readText } from './devices.ts';
import { runTool } from './tool.ts';

/** /sys/class/dmi/id file → keyword of `dmidecode -s`. Reading files is a thousand times cheaper than running the tool per word. */
const DMI_FILES = {
  bios_vendor: 'bios-vendor',
  bios_version: 'bios-version',
  bios_date: 'bios-release-date',
  sys_vendor: 'system-manufacturer',
  product_name: 'system-product-name',
  product_version: 'system-version',
  product_serial: 'system-serial-number',
  product_uuid: 'system-uuid',
  product_sku: 'system-sku-number',
  product_family: 'system-family',
  board_vendor: 'baseboard-manufacturer',
  board_name: 'baseboard-product-name',
  board_version: 'baseboard-version',
  board_serial: 'baseboard-serial-number',
  chassis_vendor: 'chassis-manufacturer',
  chassis_version: 'chassis-version',
  chassis_serial: 'chassis-serial-number',
};

/** SMBIOS 3.7 §7.4.1; sysfs gives the number, dmidecode the word. */
const CHASSIS_TYPES: Partial<Record<string, string>> = {
  '1': 'Other',
  '2': 'Unknown',
  '3': 'Desktop',
  '6': 'Mini Tower',
  '7': 'Tower',
  '17': 'Main Server Chassis',
  '23': 'Rack Mount Chassis',
  '25': 'Multi-system Chassis',
  '28': 'Blade',
  '29': 'Blade Enclosure',
};

/** Longest output of one tool that is sent. */
const KEEP = 4 * 1024 * 1024;

/** Run every inventory tool, at the same time, once the devices are there. */
export async function collectInventory(): Promise<Inventory> {
  await devicesSettled();
  const output = async (program: string, ...args: string[]) =>
    (await runTool(program, args, { timeoutSeconds: 120, keep: KEEP })).stdout;
  const [lshwXml, lsblk, ipAddress, lspci, slots, dmi, cpuinfo, meminfo, modaliases, links] = await Promise.all([
    output('lshw', '-xml', '-quiet'),
    output('lsblk', '--json', '--bytes', '-O'),
    output('ip', '-j', '-d', 'address'),
    output('lspci', '-nnvv'),
    output('lspci', '-Dvmm'),
    dmiValues(),
    readText('/proc/cpuinfo'),
    readText('/proc/meminfo'),
    deviceModaliases(),
    diskLinks(),
  ]);
  return {
    firmware: firmwareSeen(),
    lshwXml,
    lsblk,
    ipAddress,
    dmi,
    cpuinfo,
    meminfo,
    lspci,
    ethernet: await ethernetPorts(slots),
    lldp: '',
    modaliases,
    // The ticket is spent, but nobody else's business.
    cmdline: (await readText('/proc/cmdline')).replace(/ingot\.ticket=\S+/, 'ingot.ticket=*'),
    diskLinks: links,
  };
}

/** Architecture in Debian's words. */
export function debianArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

async function dmiValues(): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [file, keyword] of Object.entries(DMI_FILES)) {
    const text = await readText(`/sys/class/dmi/id/${file}`);
    if (text !== '') values[keyword] = text;
  }
  const chassis = await readText('/sys/class/dmi/id/chassis_type');
  if (chassis !== '') values['chassis-type'] = CHASSIS_TYPES[chassis] ?? `Type ${chassis}`;
  return values;
}

/**
 * Of the devices on buses, of classes (dmi, input) and of the processors: asking for these places is a tenth of walking
 * /sys/devices.
 */
const MODALIASES = '/sys/bus/*/devices/*/modalias /sys/class/*/*/modalias /sys/devices/system/*/modalias';

async function deviceModaliases(): Promise<string[]> {
  const found = await runTool('sh', ['-c', `cat ${MODALIASES} 2>/dev/null`], { timeoutSeconds: 20 });
  return [...new Set(found.stdout.split('\n').filter((line) => line !== ''))].sort();
}

/** Ports with hardware behind them; names are those the installed system will give them. */
async function ethernetPorts(slots: string): Promise<Inventory['ethernet']> {
  const cards = cardsBySlot(slots);
  const ports: Inventory['ethernet'] = [];
  for (const name of (await readdir('/sys/class/net').catch(() => [])).sort()) {
    const base = `/sys/class/net/${name}`;
    const device = await realpath(`${base}/device`).catch(() => null);
    // Type 1 is Ethernet; InfiniBand (32) and the rest are no ports one boots from.
    if (device === null || (await readText(`${base}/type`)) !== '1') continue;
    const slot = device
      .split('/')
      .reverse()
      .find((part) => /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d$/.test(part));
    const card = slot === undefined ? undefined : cards.get(slot);
    const [driver, details, named] = await Promise.all([
      realpath(`${device}/driver`).catch(() => ''),
      runTool('ethtool', [name], { timeoutSeconds: 10 }),
      runTool('udevadm', ['info', '--query=property', `--path=${base}`], { timeoutSeconds: 10 }),
    ]);
    const speed = Number(await readText(`${base}/speed`));
    ports.push({
      name: predictableName(named.stdout) ?? name,
      mac: (await permanentMac(base)).toLowerCase(),
      driver: driver.split('/').at(-1) ?? '',
      vendor: card?.vendor ?? '',
      product: card?.device ?? '',
      firmware: await firmwareVersion(name),
      linkDetected: (await readText(`${base}/carrier`)) === '1',
      speedMbps: Number.isFinite(speed) && speed > 0 ? speed : 0,
      maxSpeedMbps: highestMode(details.stdout),
    });
  }
  return ports;
}

/** systemd's order of preference; the ephemeral system itself keeps the kernel's names. */
export function predictableName(properties: string): string | null {
  for (const key of ['ID_NET_NAME_ONBOARD', 'ID_NET_NAME_SLOT', 'ID_NET_NAME_PATH']) {
    const match = new RegExp(`^${key}=(.+)$`, 'm').exec(properties);
    if (match?.[1] !== undefined && match[1].length <= 15) return match[1];
  }
  return null;
}

/** Highest of the modes `ethtool` lists, e.g. `10000baseT/Full` → 10000. */
export function highestMode(ethtool: string): number {
  return Math.max(0, ...[...ethtool.matchAll(/(\d+)base\S+/g)].map((match) => Number(match[1])));
}

export function cardsBySlot(lspci: string): Map<string, { vendor: string; device: string }> {
  const cards = new Map<string, { vendor: string; device: string }>();
  for (const block of lspci.split(/\n\n+/)) {
    const value = (key: string) => new RegExp(`^${key}:\\s+(.*)$`, 'm').exec(block)?.[1]?.trim() ?? '';
    if (value('Slot') !== '') cards.set(value('Slot'), { vendor: value('Vendor'), device: value('Device') });
  }
  return cards;
}

async function permanentMac(base: string): Promise<string> {
  return (await readFile(`${base}/address`, 'utf8').catch(() => '')).trim();
}

async function firmwareVersion(name: string): Promise<string> {
  const info = await runTool('ethtool', ['-i', name], { timeoutSeconds: 10 });
  return /^firmware-version:[ \t]*(.*)$/m.exec(info.stdout)?.[1]?.trim() ?? '';
}
