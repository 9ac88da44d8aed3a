import { chmod, lstat, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';

/**
 * Write the plan's files into the unpacked system. A path that leads out of it, by `..` or by a link of the image, is refused:
 * it would be written into the ephemeral system.
 */
export async function writeTargetFiles(plan: Pick<InstallPlan, 'files'>, target: string): Promise<void> {
  const root = await realpath(target);
  for (const file of plan.files) {
    if (file.onlyWith !== undefined && !(await has(root, file.onlyWith))) continue;
    if (file.onlyWithout !== undefined && (await has(root, file.onlyWithout))) continue;
    const path = join(root, normalize(`/${file.path}`));
    await mkdir(dirname(path), { recursive: true });
    const directory = await realpath(dirname(path));
    if (directory !== root && !directory.startsWith(`${root}/`)) {
      throw new Error(`file ${file.path} would be written outside of the installed system`);
    }
    await writeFile(path, file.content, { mode: file.mode });
    await chmod(path, file.mode);
  }
}

/** What cloud-init keeps of the instance it last ran for, as `cloud-init clean` removes it. */
const INSTANCE_STATE = ['instance', 'instances', 'data', 'sem'];

/**
 * Take out of the unpacked system what told one machine from another: an image is often a machine's disk. With cloud-init's
 * state, a machine that gets its own disk back as an image counts as the same instance, and no new key lets its owner in;
 * machines with one machine-id ask DHCP as one and the same client. What a link of the image leads out to stays.
 */
export async function forgetMachine(target: string): Promise<void> {
  const root = await realpath(target);
  const within = async (path: string) => (await realpath(join(root, path)).catch(() => '')) === join(root, path);
  if (await within('var/lib/cloud')) {
    for (const name of INSTANCE_STATE) await rm(join(root, 'var/lib/cloud', name), { recursive: true, force: true });
  }
  // Empty, not missing: systemd makes a new one, and does not take this for the very first boot of an image (machine-id(5)).
  if (await within('etc/machine-id')) await writeFile(join(root, 'etc/machine-id'), '');
}

/** Whether the system below `root` has `path`; a link counts, wherever it leads. */
async function has(root: string, path: string): Promise<boolean> {
  return (await lstat(join(root, normalize(`/${path}`))).catch(() => null)) !== null;
}
