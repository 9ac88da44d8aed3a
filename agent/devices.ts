import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runTool } from './tool.ts';

/** Longest waits for udev's daemon and for its work; a machine whose only core has much else to do needs a minute. */
const UDEV_SECONDS = 120;
/** `udevadm settle` gives up after 5 s without a word from a daemon that is at work: it is asked again. */
const SETTLE_TRIES = 6;

/**
 * Wait until the drivers of what is plugged in are loaded and udev has named their devices. The agent starts while that goes
 * on, because the talk with the region needs no disks. It goes before udev on the processor: unless it waits for the
 * daemon itself, its tools keep a slow core busy, find no disk, and the machine is told to have none.
 */
export async function devicesSettled(): Promise<void> {
  // Their units stay active; starting them again waits for their start and does nothing else.
  const units = ['systemd-udevd.service', 'systemd-udev-trigger.service'];
  await runTool('systemctl', ['start', ...units], { timeoutSeconds: UDEV_SECONDS });
  for (let tries = 0; tries < SETTLE_TRIES; tries += 1) {
    const start = performance.now();
    const timeout = `--timeout=${UDEV_SECONDS}`;
    const settled = await runTool('udevadm', ['settle', timeout], { timeoutSeconds: UDEV_SECONDS + 10 });
    if (settled.exitStatus === 0 || performance.now() - start > UDEV_SECONDS * 1000) return;
  }
}

/** Load the BMC's in-band drivers; true when a BMC answers on this machine. */
export async function openBmc(): Promise<boolean> {
  await runTool('modprobe', ['-a', '-q', 'ipmi_msghandler', 'ipmi_si', 'ipmi_ssif', 'ipmi_devintf'], {
    timeoutSeconds: 30,
  });
  // The interface is probed within modprobe; the node follows by devtmpfs at once, with a little grace for slow BMCs.
  for (let tries = 0; tries < 10; tries += 1) {
    if (['/dev/ipmi0', '/dev/ipmi/0', '/dev/ipmidev/0'].some((path) => existsSync(path))) return true;
    if (!(await bmcPromised())) return false;
    await sleep(500);
  }
  return false;
}

/** SMBIOS type 38 announces an IPMI interface. */
async function bmcPromised(): Promise<boolean> {
  const entries = await readdir('/sys/firmware/dmi/entries').catch(() => []);
  return entries.some((name) => name.startsWith('38-'));
}

/** efivarfs is a module in Debian; without it efibootmgr says that there are no EFI variables. */
export async function mountEfiVariables(): Promise<void> {
  if (!existsSync('/sys/firmware/efi') || existsSync('/sys/firmware/efi/efivars/.')) {
    const listed = await readdir('/sys/firmware/efi/efivars').catch(() => []);
    if (listed.length > 0 || !existsSync('/sys/firmware/efi')) return;
  }
  await runTool('modprobe', ['-q', 'efivarfs'], { timeoutSeconds: 20 });
  await runTool('mount', ['-t', 'efivarfs', 'efivarfs', '/sys/firmware/efi/efivars'], { timeoutSeconds: 20 });
}

/** Kernel names of the Ethernet ports with hardware behind them, sorted. */
export async function ethernetNames(): Promise<string[]> {
  const names = (await readdir('/sys/class/net').catch(() => [])).sort();
  const real = await Promise.all(
    names.map(async (name) => {
      const device = await realpath(`/sys/class/net/${name}/device`).catch(() => null);
      // Type 1 is Ethernet; InfiniBand (32) and the rest are no ports one boots from.
      return device !== null && (await readText(`/sys/class/net/${name}/type`)) === '1';
    }),
  );
  return names.filter((_, at) => real[at]);
}

export function firmwareSeen(): 'bios' | 'uefi' {
  return existsSync('/sys/firmware/efi') ? 'uefi' : 'bios';
}

/** Kernel name of each whole disk → its most telling name below /dev/disk/by-id (with a serial, not a bare WWN). */
export async function diskLinks(): Promise<Record<string, string>> {
  const directory = '/dev/disk/by-id';
  const links: Record<string, string> = {};
  for (const name of (await readdir(directory).catch(() => [])).sort()) {
    if (/-part\d+$/.test(name) || /^(wwn-|nvme-eui\.|nvme-nvme\.|lvm-|dm-|md-)/.test(name)) continue;
    const target = await readlink(`${directory}/${name}`).catch(() => '');
    const disk = target.split('/').at(-1) ?? '';
    if (disk !== '') links[disk] ??= name;
  }
  return links;
}

export async function readText(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim();
}

/** A directory that only root reads, for scripts and secrets of this boot. */
export async function privateDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}
