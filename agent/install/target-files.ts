import { chmod, lstat, mkdir, realpath, writeFile } from 'node:fs/promises';
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

/** Whether the system below `root` has `path`; a link counts, wherever it leads. */
async function has(root: string, path: string): Promise<boolean> {
  return (await lstat(join(root, normalize(`/${path}`))).catch(() => null)) !== null;
}
