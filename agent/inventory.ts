import { readFile, realpath, rm } from 'node:fs/promises';
import { release } from 'node:os';
import type { Inventory } from '@ingot/contract/agent.ts';
import { diskLinks, ethernetNames, firmwareSeen, privateDirectory, readText } from './devices.ts';
import { cardsFromLshw } from './network-cards.ts';
import { cappedText, runTool } from './tool.ts';

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

/**
 * Of devices on buses, of classes (dmi, input) and of the processors: asking for these places is a tenth of walking /sys/devices.
 */
const MODALIASES = '/sys/bus/*/devices/*/modalias /sys/class/*/*/modalias /sys/devices/system/*/modalias';

const TOOLS = {
  lshw: 'lshw -xml -quiet',
  lsblk: 'lsblk --json --bytes -O',
  addresses: 'ip -j -d address',
  lspci: 'lspci -nnvv',
  modaliases: `cat ${MODALIASES}`,
  ports: `for port in /sys/class/net/*/device; do port=\${port%/device}; echo "PORT=\${port##*/}"
    udevadm info --query=property "$port"; done`,
} as const;
/** For people who look for a fault: what these complain of belongs to it. */
const SUPPORT_TOOLS = { dmidecode: 'dmidecode', lsusb: 'lsusb', dmesg: 'dmesg' } as const;
type Tool = keyof typeof TOOLS | keyof typeof SUPPORT_TOOLS;

const OUTPUTS = '/run/ingot/inventory';
const TOOLS_SECONDS = 120;
/** No tool may fill the memory: blocks of 512 bytes (dash, ulimit -f), 32 MiB. */
const MOST_BLOCKS = 65_536;

/**
 * Runs all of them at the same time and gives what each printed; one that hangs is ended, the others' words are kept. One shell
 * starts them: each program that Node starts itself costs a slow core a tenth of a second more.
 */
async function outputsOfTools(): Promise<Record<Tool, string>> {
  await rm(OUTPUTS, { recursive: true, force: true });
  await privateDirectory(OUTPUTS);
  const lines = [
    ...Object.entries(TOOLS).map(([name, command]) => `{ ${command}; } >${name} 2>/dev/null &`),
    ...Object.entries(SUPPORT_TOOLS).map(([name, command]) => `{ ${command}; } >${name} 2>&1 &`),
  ];
  const script = [`ulimit -f ${MOST_BLOCKS}`, ...lines, 'wait'].join('\n');
  await runTool('sh', ['-c', script], { timeoutSeconds: TOOLS_SECONDS, cwd: OUTPUTS });
  const text = async (name: Tool) => [name, await cappedFile(`${OUTPUTS}/${name}`, keepOf(name))] as const;
  const names = [...Object.keys(TOOLS), ...Object.keys(SUPPORT_TOOLS)] as Tool[];
  const found = Object.fromEntries(await Promise.all(names.map(text))) as Record<Tool, string>;
  await rm(OUTPUTS, { recursive: true, force: true });
  return found;
}

const keepOf = (name: Tool) => (name in SUPPORT_TOOLS ? KEEP_OF_SUPPORT : KEEP);

/** A file's text; of a longer one head and tail. Empty when there is none. */
async function cappedFile(path: string, limit: number): Promise<string> {
  const text = cappedText(limit);
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  text.add(bytes);
  return text.text();
}

/** Ask every inventory tool. The devices must be there. */
export async function collectInventory(): Promise<Inventory> {
  const [tools, dmi, cpuinfo, meminfo, links, serial, cmdline] = await Promise.all([
    outputsOfTools(),
    dmiValues(),
    readText('/proc/cpuinfo'),
    readText('/proc/meminfo'),
    diskLinks(),
    readText('/proc/tty/driver/serial'),
    readText('/proc/cmdline'),
  ]);
  const { lshw, lsblk, addresses, lspci, modaliases, ports, dmidecode, lsusb, dmesg } = tools;
  return {
    firmware: firmwareSeen(),
    lshwXml: lshw,
    lsblk,
    ipAddress: addresses,
    dmi,
    cpuinfo,
    meminfo,
    lspci,
    ethernet: await ethernetPorts(lshw, predictableNames(ports)),
    lldp: '',
    modaliases: [...new Set(modaliases.split('\n').filter((line) => line !== ''))].sort(),
    cmdline: withoutTicket(cmdline),
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
 * Ports with hardware behind them; names are those the installed system will give them. What lshw has asked the cards is not
 * asked again: each tool costs a slow core a tenth of a second for each port.
 */
async function ethernetPorts(lshwXml: string, named: Map<string, string>): Promise<Inventory['ethernet']> {
  const cards = cardsFromLshw(lshwXml);
  const names = await ethernetNames();
  return Promise.all(
    names.map(async (name) => {
      const base = `/sys/class/net/${name}`;
      const [driver, mac, speed, carrier] = await Promise.all([
        realpath(`${base}/device/driver`).catch(() => ''),
        readText(`${base}/address`),
        readText(`${base}/speed`),
        readText(`${base}/carrier`),
      ]);
      const card = cards.get(name);
      const speedMbps = Number(speed);
      return {
        name: named.get(name) ?? name,
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

/** Kernel name → the name that systemd gives, from what `ports` prints; the ephemeral system itself keeps the kernel's names. */
export function predictableNames(properties: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const device of properties.split(/^PORT=/m)) {
    const [port = '', ...rest] = device.split('\n');
    const name = predictableName(rest.join('\n'));
    if (name !== null) names.set(port, name);
  }
  return names;
}

/** systemd's order of preference; the ephemeral system itself keeps the kernel's names. */
function predictableName(properties: string): string | null {
  for (const key of ['ID_NET_NAME_ONBOARD', 'ID_NET_NAME_SLOT', 'ID_NET_NAME_PATH']) {
    const match = new RegExp(`^${key}=(.+)$`, 'm').exec(properties);
    if (match?.[1] !== undefined && match[1].length <= 15) return match[1];
  }
  return null;
}
