import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import type { Steps } from '../steps.ts';
import { mustRun, runTool } from '../tool.ts';
import { kernels } from './boot-loader.ts';

/**
 * Load the newest kernel of the system below `target`, to be started when this one is left. True when it is loaded; else the
 * step `kexec` has failed with the tool's words and the machine is reset as usual. The boot loader and the firmware's
 * order stand as for a reset, so every later start goes by them.
 */
export async function loadInstalledKernel(plan: InstallPlan, target: string, steps: Steps): Promise<boolean> {
  try {
    await steps.run('kexec', async () => {
      const [newest] = await kernels(target);
      if (newest === undefined) throw new Error('the image has no kernel with an initrd in /boot');
      const args = loadArguments(plan, target, newest, await rootOf(plan, target));
      await mustRun('kexec', args, { timeoutSeconds: 120 });
    });
    return true;
  } catch {
    steps.log('kexec: the installed kernel is not loaded, so the machine is reset instead');
    return false;
  }
}

/** Of our own partitions by the plan, of a disk image by what is mounted. Throws when nobody knows. */
async function rootOf(plan: InstallPlan, target: string): Promise<string> {
  const planned = plan.partitions.find((partition) => partition.mountPoint === '/')?.filesystemUuid;
  if (planned != null) return planned;
  const found = await runTool('findmnt', ['--noheadings', '--output', 'UUID', target], { timeoutSeconds: 30 });
  const uuid = found.stdout.trim();
  if (found.exitStatus !== 0 || !/^[0-9a-fA-F-]{4,36}$/.test(uuid)) throw new Error('the root file system has no UUID');
  return uuid;
}

/**
 * kexec(8): -a asks the kernel to check the file (what Secure Boot allows alone) and falls back to the older call. The
 * command line is that of our grub.cfg.
 */
export function loadArguments(
  plan: Pick<InstallPlan, 'kernelOptions'>,
  target: string,
  { kernel, initrd }: { kernel: string; initrd: string },
  rootUuid: string,
): string[] {
  const options = plan.kernelOptions.trim();
  return [
    '-a',
    '-l',
    join(target, 'boot', kernel),
    `--initrd=${join(target, 'boot', initrd)}`,
    `--command-line=root=UUID=${rootUuid} ro${options === '' ? '' : ` ${options}`}`,
  ];
}

/** A kernel waits to be started instead of a reset. */
export async function kernelIsLoaded(file = '/sys/kernel/kexec_loaded'): Promise<boolean> {
  return (await readFile(file, 'utf8').catch(() => '0')).trim() === '1';
}
