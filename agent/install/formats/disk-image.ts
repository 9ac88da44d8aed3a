import { mkdir, open } from 'node:fs/promises';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { ESP_TYPE, GPT_HEAD, movedGpt, readGpt, readMbr } from '@ingot/core/storage/gpt.ts';
import { mustRun, runTool } from '../../tool.ts';
import { registerEfiEntry } from '../boot-loader.ts';
import { partitionAppears } from '../partition.ts';
import { StepFailed } from '../step.ts';
import { partitionPath } from '../target-disk.ts';
import { type StreamInput, SUM, streamInto } from '../unpack.ts';

/**
 * `nocreat`: a disk that is gone must not become a file in memory. Not sparse: what was on the disk has to go.
 * `direct`: past the page cache, which would keep the image until the last byte has come, on a disk that nothing has read yet
 * takes up to three times as long, and leaves no room for anything else on a machine of little memory. dd writes a last piece
 * that fills no whole block the usual way.
 */
const WRITE = `set -o pipefail
exec 3> >(exec ${SUM} > "$1"); sum=$!
tee /dev/fd/3 | zstd -dc -q | dd of="$2" bs=4M iflag=fullblock oflag=direct conv=fsync,nocreat status=none; status=$?
exec 3>&-; wait $sum; exit $status`;

const MIB = 1024 * 1024;
const MBR_ESP = 0xef;

async function sizeOf(device: string): Promise<number> {
  return Number((await mustRun('blockdev', ['--getsize64', device], { timeoutSeconds: 30 })).stdout.trim());
}

/**
 * Write every byte of a disk image. A disk that is too small is refused before the first byte. After bytes that were not the
 * right ones both ends of the disk are cleared: no firmware finds anything to start there. Throws StepFailed.
 */
export async function writeDiskImage(image: InstallPlan['image'], disk: string, input: StreamInput): Promise<void> {
  const size = await sizeOf(disk);
  if (image.disk !== undefined && size < image.disk.size) {
    throw new StepFailed('install.disk_too_small', `${disk} has ${size} bytes; the disk image has ${image.disk.size}.`);
  }
  const outcome = await streamInto(input, WRITE, [disk]);
  if (outcome.ok) return;
  await clearEnds(disk, size);
  throw new StepFailed(outcome.code, outcome.message);
}

async function clearEnds(disk: string, size: number): Promise<void> {
  const handle = await open(disk, 'r+');
  try {
    const zeros = Buffer.alloc(Math.min(MIB, size));
    await handle.write(zeros, 0, zeros.length, 0);
    await handle.write(zeros, 0, zeros.length, size - zeros.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function headOf(disk: string): Promise<Buffer> {
  const handle = await open(disk, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(GPT_HEAD), 0, GPT_HEAD, 0);
    return buffer;
  } finally {
    await handle.close();
  }
}

/** Fit the image's table to the disk and let the last partition, if it is the root, have the rest. Throws the tools' words. */
export async function fitToDisk(image: InstallPlan['image'], disk: string): Promise<void> {
  const head = await headOf(disk);
  const root = image.disk?.root ?? null;
  let grown = false;
  if (readGpt(head) !== null) {
    const moved = movedGpt(head, await sizeOf(disk), root?.number ?? null);
    const handle = await open(disk, 'r+');
    try {
      for (const { offset, bytes } of moved.writes) await handle.write(bytes, 0, bytes.length, offset);
      await handle.sync();
    } finally {
      await handle.close();
    }
    grown = moved.grown !== null;
  }
  await runTool('blockdev', ['--rereadpt', disk], { timeoutSeconds: 60 });
  // A kernel may lack the table's kind, or have kept an old partition that was busy; libblkid reads the table itself.
  await runTool('partx', ['--update', disk], { timeoutSeconds: 60 });
  await runTool('udevadm', ['settle', '--timeout=10'], { timeoutSeconds: 15 });
  if (root === null) return;
  const device = rootDevice(image, disk);
  await partitionAppears(device);
  if (grown && root.filesystem === 'ext4') {
    // 1: errors were corrected. resize2fs wants a check that is newer than the last mount.
    const check = await runTool('e2fsck', ['-f', '-y', device], { timeoutSeconds: 3600 });
    if (check.exitStatus > 1) throw new Error(`e2fsck ${device} ended with ${check.exitStatus}: ${check.combined}`);
    await mustRun('resize2fs', [device], { timeoutSeconds: 3600 });
  }
}

function rootDevice(image: InstallPlan['image'], disk: string): string {
  const root = image.disk?.root;
  if (root == null) throw new Error('the plan does not say where the root file system of the disk image is');
  return root.number === 0 ? disk : partitionPath(disk, root.number);
}

/** Mount the image's root file system; XFS and Btrfs grow while mounted. */
export async function mountRoot(image: InstallPlan['image'], disk: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await mustRun('mount', [rootDevice(image, disk), target], { timeoutSeconds: 120 });
  const filesystem = image.disk?.root?.filesystem;
  if (filesystem === 'xfs') await mustRun('xfs_growfs', [target], { timeoutSeconds: 600 });
  if (filesystem === 'btrfs') {
    await mustRun('btrfs', ['filesystem', 'resize', 'max', target], { timeoutSeconds: 600 });
  }
}

/** UEFI: an entry for the image's own loader, by its fallback path. BIOS starts the disk by its boot code. */
export async function registerDiskLoader(plan: InstallPlan, disk: string): Promise<void> {
  if (plan.firmware !== 'uefi') return;
  const head = await headOf(disk);
  const esp =
    readGpt(head)?.partitions.find(({ type }) => type === ESP_TYPE) ??
    readMbr(head)?.find(({ type }) => type === MBR_ESP);
  if (esp === undefined) throw new Error('the disk image has no EFI system partition');
  await registerEfiEntry(disk, esp.number, { name: 'ingot', loader: '\\EFI\\BOOT\\BOOTX64.EFI' });
}
