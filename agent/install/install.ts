import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import type { Code } from '@ingot/core/machine/catalogue.ts';
import { devicesSettled } from '../devices.ts';
import type { Steps } from '../steps.ts';
import { mustRun, runTool } from '../tool.ts';
import { installBootLoader } from './boot-loader.ts';
import { fitToDisk, mountRoot, registerDiskLoader, writeDiskImage } from './formats/disk-image.ts';
import { unpackSquashfs } from './formats/squashfs.ts';
import { loadInstalledKernel } from './kexec.ts';
import { makeFilesystems, writePartitions } from './partition.ts';
import { inStep, StepFailed } from './step.ts';
import { findTargetDisk, partitionPath } from './target-disk.ts';
import { forgetMachine, writeTargetFiles } from './target-files.ts';
import { type StreamInput, unpackImage } from './unpack.ts';

/** `kexec`: the installed kernel is loaded, to be started without a reset. */
export type InstallOutcome = { ok: true; kexec: boolean } | { ok: false; code: Code; message: string };

const TARGET = '/mnt';
/** Of the ephemeral system, for programs run inside the installed one. */
const BOUND = ['dev', 'proc', 'sys'];

/**
 * Write the system: disk, partitions, file systems, image, files, boot loader, with `kexec` the load of its kernel, unmount.
 * Each is a reported step; that the kernel could not be loaded fails that step alone.
 */
export async function install(
  plan: InstallPlan,
  rack: string,
  steps: Steps,
  { kexec }: { kexec: boolean },
): Promise<InstallOutcome> {
  try {
    const disk = await steps.run('disk', async () => {
      await devicesSettled();
      await unmountAll();
      const found = await findTargetDisk(plan);
      if ('problem' in found) throw new StepFailed(found.code, found.problem);
      return found.path;
    });
    await (plan.image.format === 'raw.zst' ? putDiskImage : putTree)({ plan, disk, rack, steps });
    const loaded = kexec && (await loadInstalledKernel(plan, TARGET, steps));
    await inStep('sync', steps, async () => {
      await unmountAll();
      await mustRun('blockdev', ['--flushbufs', disk], { timeoutSeconds: 600 });
    });
    return { ok: true, kexec: loaded };
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

interface Installation {
  plan: InstallPlan;
  disk: string;
  rack: string;
  steps: Steps;
}

/** The image's bytes, as they are fetched in the step that is running. */
function streamOf({ plan, rack, steps }: Installation, progress: (done: number, total: number) => void): StreamInput {
  const { path, sha256, size } = plan.image;
  return {
    ...{ sha256, size },
    url: `${rack}${path}`,
    sumFile: '/run/ingot/image.sha256',
    onProgress: (done) => progress(done, size),
    log: steps.log,
  };
}

/** Partitions and file systems of ours, the image's files in them, and a boot loader. */
async function putTree(installation: Installation): Promise<void> {
  const { plan, disk, steps } = installation;
  await inStep('partition', steps, () => writePartitions(plan, disk));
  await inStep('filesystems', steps, async () => {
    await makeFilesystems(plan, disk);
    await mountAll(plan, disk);
  });
  await steps.run('image', async (progress) => {
    const { format } = plan.image;
    const input = { ...streamOf(installation, progress), target: TARGET };
    const unpacked =
      format === 'tar.zst' || format === 'tgz' ? unpackImage({ ...input, format }) : unpackSquashfs(input);
    const outcome = await unpacked;
    if (!outcome.ok) throw new StepFailed(outcome.code, outcome.message);
  });
  await inStep('files', steps, () => writeFiles(plan));
  await inStep('boot-loader', steps, async () => {
    for (const name of BOUND) {
      await mkdir(join(TARGET, name), { recursive: true });
      await mustRun('mount', ['--rbind', `/${name}`, join(TARGET, name)], { timeoutSeconds: 30 });
      await mustRun('mount', ['--make-rslave', join(TARGET, name)], { timeoutSeconds: 30 });
    }
    await installBootLoader(plan, disk, TARGET);
  });
}

/** Every byte of the disk, then only what ties it to this machine: the table's end, the root's size, files, a boot entry. */
async function putDiskImage(installation: Installation): Promise<void> {
  const { plan, disk, steps } = installation;
  await steps.run('image', (progress) => writeDiskImage(plan.image, disk, streamOf(installation, progress)));
  await inStep('partition', steps, () => fitToDisk(plan.image, disk));
  await inStep('files', steps, async () => {
    await mountRoot(plan.image, disk, TARGET);
    await writeFiles(plan);
  });
  await inStep('boot-loader', steps, () => registerDiskLoader(plan, disk));
}

async function writeFiles(plan: InstallPlan): Promise<void> {
  await forgetMachine(TARGET);
  await writeTargetFiles(plan, TARGET);
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
