import { realpath } from 'node:fs/promises';
import { release } from 'node:os';
import type { Inventory } from '@ingot/contract/agent.ts';
import { diskLinks, ethernetNames, firmwareSeen, readText } from './devices.ts';
import { cardsFromLshw } from './network-cards.ts';
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

/** Longest output of one tool that is sent; of the kernel's messages and the like, a part of it. */
const KEEP = 4 * 1024 * 1024;
const KEEP_OF_SUPPORT = 256 * 1024;

/** Run every inventory tool, at the same time. The devices must be there. */
export async function collectInventory(): Promise<Inventory> {
  const output = async (program: string, ...args: string[]) =>
    (await runTool(program, args, { timeoutSeconds: 120, keep: KEEP })).stdout;
  const support = async (program: string) =>
    (await runTool(program, [], { timeoutSeconds: 120, keep: KEEP_OF_SUPPORT })).combined;
  const [lshwXml, lsblk, ipAddress, lspci, dmi, cpuinfo, meminfo, modaliases, links, ...rest] = await Promise.all([
    output('lshw', '-xml', '-quiet'),
    output('lsblk', '--json', '--bytes', '-O'),
    output('ip', '-j', '-d', 'address'),
    output('lspci', '-nnvv'),
    dmiValues(),
    readText('/proc/cpuinfo'),
    readText('/proc/meminfo'),
    deviceModaliases(),
    diskLinks(),
    support('dmidecode'),
    support('lsusb'),
    support('dmesg'),
    readText('/proc/tty/driver/serial'),
  ]);
  const [dmidecode, lsusb, dmesg, serial] = rest;
  return {
    firmware: firmwareSeen(),
    lshwXml,
    lsblk,
    ipAddress,
    dmi,
    cpuinfo,
    meminfo,
    lspci,
    ethernet: await ethernetPorts(lshwXml),
    lldp: '',
    modaliases,
    cmdline: withoutTicket(await readText('/proc/cmdline')),
    kernelRelease: release(),
    support: { dmidecode, lsusb, dmesg: withoutTicket(dmesg), serial },
    diskLinks: links,
  };
}

/** The ticket is spent, but nobody else's business; the kernel prints its command line, too. */
function withoutTicket(text: string): string {
  return text.replace(/ingot\.ticket=\S+/g, 'ingot.ticket=*');
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

/**
 * Ports with hardware behind them; names are those the installed system will give them. What lshw has asked the cards is not
 * asked again: each tool costs a slow core a tenth of a second for each port.
 */
async function ethernetPorts(lshwXml: string): Promise<Inventory['ethernet']> {
  const cards = cardsFromLshw(lshwXml);
  const names = await ethernetNames();
  return Promise.all(
    names.map(async (name) => {
      const base = `/sys/class/net/${name}`;
      const [driver, mac, speed, carrier, named] = await Promise.all([
        realpath(`${base}/device/driver`).catch(() => ''),
        readText(`${base}/address`),
        readText(`${base}/speed`),
        readText(`${base}/carrier`),
        runTool('udevadm', ['info', '--query=property', `--path=${base}`], { timeoutSeconds: 10 }),
      ]);
      const card = cards.get(name);
      const speedMbps = Number(speed);
      return {
        name: predictableName(named.stdout) ?? name,
        mac: mac.toLowerCase(),
        driver: driver.split('/').at(-1) ?? '',
        vendor: card?.vendor ?? '',
        product: card?.product ?? '',
        firmware: card?.firmware ?? '',
        linkDetected: carrier === '1',
        speedMbps: Number.isFinite(speedMbps) && speedMbps > 0 ? speedMbps : 0,
        maxSpeedMbps: card?.maxSpeedMbps ?? 0,
      };
    }),
  );
}

/** systemd's order of preference; the ephemeral system itself keeps the kernel's names. */
export function predictableName(properties: string): string | null {
  for (const key of ['ID_NET_NAME_ONBOARD', 'ID_NET_NAME_SLOT', 'ID_NET_NAME_PATH']) {
    const match = new RegExp(`^${key}=(.+)$`, 'm').exec(properties);
    if (match?.[1] !== undefined && match[1].length <= 15) return match[1];
  }
  return null;
}
