import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import type { Code } from '@ingot/core/machine/catalogue.ts';
import { devicesSettled } from '../devices.ts';
import type { Steps } from '../steps.ts';
import { mustRun, runTool } from '../tool.ts';
import { installBootLoader } from './boot-loader.ts';
import { makeFilesystems, writePartitions } from './partition.ts';
import { findTargetDisk, partitionPath } from './target-disk.ts';
import { writeTargetFiles } from './target-files.ts';
import { unpackImage } from './unpack.ts';

export type InstallOutcome = { ok: true } | { ok: false; code: Code; message: string };

const TARGET = '/mnt';
/** Of the ephemeral system, for programs run inside the installed one. */
const BOUND = ['dev', 'proc', 'sys'];

class StepFailed extends Error {
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** Write the system: disk, partitions, file systems, image, files, boot loader, unmount. Each is a reported step. */
export async function install(plan: InstallPlan, rack: string, steps: Steps): Promise<InstallOutcome> {
  try {
    const disk = await steps.run('disk', async () => {
      await devicesSettled();
      await unmountAll();
      const found = await findTargetDisk(plan);
      if ('problem' in found) throw new StepFailed(found.code, found.problem);
      return found.path;
    });
    await inStep('partition', steps, () => writePartitions(plan, disk));
    await inStep('filesystems', steps, async () => {
      await makeFilesystems(plan, disk);
      await mountAll(plan, disk);
    });
    await steps.run('image', async (progress) => {
      const { path, ...image } = plan.image;
      const outcome = await unpackImage({
        ...image,
        url: `${rack}${path}`,
        target: TARGET,
        sumFile: '/run/ingot/image.sha256',
        onProgress: (done) => progress(done, image.size),
        log: steps.log,
      });
      if (!outcome.ok) throw new StepFailed(outcome.code, outcome.message);
    });
    await inStep('files', steps, () => writeTargetFiles(plan, TARGET));
    await inStep('boot-loader', steps, async () => {
      for (const name of BOUND) {
        await mkdir(join(TARGET, name), { recursive: true });
        await mustRun('mount', ['--rbind', `/${name}`, join(TARGET, name)], { timeoutSeconds: 30 });
        await mustRun('mount', ['--make-rslave', join(TARGET, name)], { timeoutSeconds: 30 });
      }
      await installBootLoader(plan, disk, TARGET);
    });
    await inStep('sync', steps, async () => {
      await unmountAll();
      await mustRun('blockdev', ['--flushbufs', disk], { timeoutSeconds: 600 });
    });
    return { ok: true };
  } catch (error) {
    await unmountAll();
    const message = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      code: error instanceof StepFailed ? error.code : 'install.step_failed',
      message: message.slice(0, 4000),
    };
  }
}

function inStep(name: string, steps: Steps, work: () => Promise<void>): Promise<void> {
  return steps.run(name, async () => {
    try {
      await work();
    } catch (error) {
      throw new StepFailed('install.step_failed', `${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

/** Parents before children: / before /boot before /boot/efi. */
async function mountAll(plan: InstallPlan, disk: string): Promise<void> {
  const mounts = plan.partitions
    .flatMap(({ mountPoint, number }) => (mountPoint === null ? [] : [{ mountPoint, number }]))
    .sort((a, b) => a.mountPoint.length - b.mountPoint.length);
  for (const { mountPoint, number } of mounts) {
    const at = join(TARGET, mountPoint);
    await mkdir(at, { recursive: true });
    await mustRun('mount', [partitionPath(disk, number), at], { timeoutSeconds: 120 });
  }
}

async function unmountAll(): Promise<void> {
  await runTool('sync', [], { timeoutSeconds: 600 });
  for (const name of BOUND) await runTool('umount', ['-R', '-l', join(TARGET, name)], { timeoutSeconds: 60 });
  // Not lazily: what is still mounted at the reset would lose its last writes.
  await runTool('umount', ['-R', TARGET], { timeoutSeconds: 600 });
}
