import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { mountEfiVariables } from '../devices.ts';
import { mustRun, runTool } from '../tool.ts';

/** Directory on the EFI system partition that the signed GRUB of a distribution has built in as its prefix. */
async function efiName(target: string): Promise<'debian' | 'ubuntu'> {
  const text = await readFile(join(target, 'usr/lib/os-release'), 'utf8').catch(() => '');
  return /^ID="?ubuntu"?$/m.test(text) ? 'ubuntu' : 'debian';
}

/** Make the disk boot: our static grub.cfg and the loader for the plan's firmware. Throws with the tool's words. */
export async function installBootLoader(plan: InstallPlan, disk: string, target: string): Promise<void> {
  const rootUuid = plan.partitions.find((partition) => partition.mountPoint === '/')?.filesystemUuid;
  if (rootUuid == null) throw new Error('the plan has no root file system');
  const options = plan.kernelOptions.trim();
  await mkdir(join(target, 'boot/grub'), { recursive: true });
  await writeFile(join(target, 'boot/grub/grub.cfg'), grubConfig(await kernels(target), rootUuid, options));
  await mkdir(join(target, 'etc/default/grub.d'), { recursive: true });
  await writeFile(join(target, 'etc/default/grub.d/50-ingot.cfg'), grubDefaults(options));
  if (plan.firmware === 'bios') {
    await mustRun('chroot', [target, 'grub-install', '--target=i386-pc', '--no-floppy', disk], { timeoutSeconds: 600 });
    return;
  }
  const efi = plan.partitions.find((partition) => partition.mountPoint === '/boot/efi');
  if (efi === undefined) throw new Error('the plan has no EFI system partition');
  const name = await efiName(target);
  await writeEfiLoaders(target, rootUuid, name);
  await registerEfiEntry(disk, efi.number, { name, loader: `\\EFI\\${name}\\shimx64.efi` });
}

/** Versions with both kernel and initrd, newest first. */
export async function kernels(target: string): Promise<{ kernel: string; initrd: string }[]> {
  const names = await readdir(join(target, 'boot'));
  const found = names
    .filter((name) => name.startsWith('vmlinuz-') && names.includes(name.replace('vmlinuz-', 'initrd.img-')))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((kernel) => ({ kernel, initrd: kernel.replace('vmlinuz-', 'initrd.img-') }));
  if (found.length === 0) throw new Error('the image has no kernel with an initrd in /boot');
  return found;
}

/**
 * A small configuration in place of update-grub's, which takes 10 s and more. update-grub replaces it with its own at the
 * first kernel update, with the same kernel options by way of /etc/default/grub.d.
 */
export function grubConfig(found: { kernel: string; initrd: string }[], rootUuid: string, options: string): string {
  const serial = /console=ttyS(\d)(?:,(\d+))?/.exec(options);
  const terminal =
    serial === null
      ? []
      : [
          `serial --unit=${serial[1]} --speed=${serial[2] ?? '115200'}`,
          'terminal_input console serial',
          'terminal_output console serial',
        ];
  const entries = found.map(({ kernel, initrd }) =>
    [
      `menuentry '${kernel.replace('vmlinuz-', 'Linux ')}' {`,
      `  linux /boot/${kernel} root=UUID=${rootUuid} ro${options === '' ? '' : ` ${options}`}`,
      `  initrd /boot/${initrd}`,
      '}',
    ].join('\n'),
  );
  // Esc or Shift within the second shows the menu; drawing it takes seconds on a serial console.
  const head = [
    'set default=0',
    'set timeout_style=hidden',
    'set timeout=1',
    ...terminal,
    'insmod part_gpt',
    'insmod ext2',
  ];
  return `${[...head, `search --no-floppy --fs-uuid --set=root ${rootUuid}`, ...entries].join('\n')}\n`;
}

function grubDefaults(options: string): string {
  const console = /console=ttyS(\d)(?:,(\d+))?/.exec(options);
  const serial =
    console === null
      ? ''
      : `GRUB_TERMINAL="console serial"\nGRUB_SERIAL_COMMAND="serial --unit=${console[1]} --speed=${console[2] ?? '115200'}"\n`;
  return `GRUB_TIMEOUT=1\nGRUB_TIMEOUT_STYLE=hidden\nGRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX="${options.replaceAll('"', '')}"\nGRUB_DISABLE_OS_PROBER=true\n${serial}`;
}

/**
 * shim and the signed GRUB, in Debian's directory and in the fallback path that firmware tries without an entry. grub-install
 * would copy the same files twice over, in 15 s. No fbx64.efi in the fallback path: it would add an entry and reset once more.
 */
async function writeEfiLoaders(target: string, rootUuid: string, name: string): Promise<void> {
  const shim = join(target, 'usr/lib/shim/shimx64.efi.signed');
  const grub = join(target, 'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed');
  const own = join(target, 'boot/efi/EFI', name);
  const fallback = join(target, 'boot/efi/EFI/BOOT');
  for (const directory of [own, fallback]) await mkdir(directory, { recursive: true });
  const have = async (path: string) => (await readFile(path).catch(() => null)) !== null;
  if (!(await have(shim)) || !(await have(grub))) {
    const args = ['--target=x86_64-efi', '--efi-directory=/boot/efi', `--bootloader-id=${name}`, '--no-nvram'];
    await mustRun('chroot', [target, 'grub-install', ...args], { timeoutSeconds: 600 });
    await mustRun('chroot', [target, 'grub-install', ...args, '--removable'], { timeoutSeconds: 600 });
    return;
  }
  await copyFile(shim, join(own, 'shimx64.efi'));
  await copyFile(grub, join(own, 'grubx64.efi'));
  await copyFile(shim, join(fallback, 'BOOTX64.EFI'));
  await copyFile(grub, join(fallback, 'grubx64.efi'));
  for (const file of ['mmx64.efi.signed', 'mmx64.efi']) {
    const manager = join(target, 'usr/lib/shim', file);
    if (await have(manager)) await copyFile(manager, join(own, 'mmx64.efi'));
  }
  const stub = `search.fs_uuid ${rootUuid} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n`;
  await writeFile(join(own, 'grub.cfg'), stub);
}

/**
 * An NVRAM entry for the disk, after the entry this machine booted from: network first, and when the rack says "local"
 * (iPXE's `exit 1`) the firmware goes on to the disk. Old entries of the same name are of earlier deployments.
 */
export async function registerEfiEntry(
  disk: string,
  partition: number,
  { name, loader }: { name: string; loader: string },
): Promise<void> {
  await mountEfiVariables();
  const before = parseEfiBoot((await mustRun('efibootmgr', [], { timeoutSeconds: 60 })).stdout);
  for (const number of before.entries.get(name) ?? []) {
    await runTool('efibootmgr', ['-q', '-b', number, '-B'], { timeoutSeconds: 60 });
  }
  const create = ['-q', '-c', '-d', disk, '-p', String(partition), '-L', name, '-l', loader];
  await mustRun('efibootmgr', create, { timeoutSeconds: 60 });
  const after = parseEfiBoot((await mustRun('efibootmgr', [], { timeoutSeconds: 60 })).stdout);
  const order = bootOrder(after, name);
  if (order.length > 0) await mustRun('efibootmgr', ['-q', '-o', order.join(',')], { timeoutSeconds: 60 });
}

export interface EfiBoot {
  current: string | null;
  order: string[];
  /** Name → numbers. */
  entries: Map<string, string[]>;
}

export function parseEfiBoot(text: string): EfiBoot {
  const entries = new Map<string, string[]>();
  for (const match of text.matchAll(/^Boot([0-9A-F]{4})\*? (.*?)(?:\t.*)?$/gm)) {
    const [, number = '', name = ''] = match;
    entries.set(name, [...(entries.get(name) ?? []), number]);
  }
  return {
    current: /^BootCurrent: ([0-9A-F]{4})$/m.exec(text)?.[1] ?? null,
    order: /^BootOrder: (.*)$/m.exec(text)?.[1]?.split(',') ?? [],
    entries,
  };
}

/** What was booted now, then the disk, then the rest as it was. */
export function bootOrder(boot: EfiBoot, name: string): string[] {
  const disk = boot.entries.get(name) ?? [];
  const first = boot.current === null ? [] : [boot.current];
  return [...new Set([...first, ...disk, ...boot.order])];
}
