import { open } from 'node:fs/promises';
import { disksFromLsblk } from '@ingot/core/hardware/disks.ts';
import type { Code } from '@ingot/core/machine/catalogue.ts';
import { devicesSettled, readText } from './devices.ts';
import { secureErase } from './secure-erase.ts';
import { mustRun, runTool } from './tool.ts';

export interface EraseInput {
  /** Let the disk's own firmware erase it, where it can. */
  secure: boolean;
  /** Only signatures and both ends; what lies between stays readable. */
  quick: boolean;
  log: (line: string) => void;
  onProgress: (bytesDone: number, bytesTotal: number) => void;
}

export type EraseOutcome = { ok: true; bytes: number } | { ok: false; code: Code; message: string };

export interface ErasedDisk {
  name: string;
  path: string;
  size: number;
}

const MIB = 1024 * 1024;
/** Quick: this much of both ends. */
const END = 2 * MIB;
/** Bytes per BLKZEROOUT call: progress is reported after each, and a disk that only takes real writes needs seconds for it. */
const STEP = 256 * MIB;
/** Places that are read back, besides both ends. */
const SAMPLES = 62;
const DAY_SECONDS = 86_400;

/**
 * Erase every writable disk, one after the other: by its firmware when `secure` and possible, else quick when `quick`, else
 * with zeroes from the first to the last sector. After zeroes, both ends and 62 places between are read back.
 */
export async function eraseDisks(input: EraseInput): Promise<EraseOutcome> {
  await devicesSettled();
  await releaseDisks();
  const listed = await runTool('lsblk', ['--json', '--bytes', '-O'], { timeoutSeconds: 60 });
  const disks = disksFromLsblk(listed.stdout, {}, input.log).map(
    (disk): ErasedDisk => ({ name: disk.name, path: `/dev/${disk.name}`, size: disk.size }),
  );
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  let before = 0;
  for (const disk of disks) {
    try {
      await eraseDisk(disk, input, (done) => input.onProgress(before + done, total));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      input.log(`${disk.name}: ${message}`);
      return { ok: false, code: 'erase.failed', message: `${disk.name}: ${message}`.slice(0, 4000) };
    }
    before += disk.size;
  }
  input.log('All disks have been successfully wiped.');
  return { ok: true, bytes: total };
}

async function eraseDisk(disk: ErasedDisk, input: EraseInput, onDone: (bytes: number) => void): Promise<void> {
  onDone(0);
  if (input.secure) {
    const refusal = await secureErase(disk);
    if (refusal === null) {
      input.log(`${disk.name}: securely erased by its firmware`);
      return onDone(disk.size);
    }
    input.log(`${disk.name}: no secure erase: ${refusal}`);
  }
  if (input.quick) {
    await quickErase(disk);
    input.log(`${disk.name}: quickly erased`);
    return onDone(disk.size);
  }
  await zeroDisk(disk, onDone);
  input.log(`${disk.name}: ${disk.size} bytes overwritten with zeroes and read back at ${SAMPLES + 2} places`);
}

/** Zero a whole block device and verify. Exported for the test on a loop device. Throws when a place is not zero. */
export async function zeroDisk(disk: ErasedDisk, onDone: (bytes: number) => void): Promise<void> {
  for (let offset = 0; offset < disk.size; offset += STEP) {
    const length = Math.min(STEP, disk.size - offset);
    // BLKZEROOUT: the kernel uses the disk's own zeroing where that is certain to read as zero, and writes otherwise.
    const range = ['--offset', String(offset), '--length', String(length)];
    await mustRun('blkdiscard', ['--force', '--zeroout', ...range, disk.path], { timeoutSeconds: DAY_SECONDS });
    onDone(offset + length);
  }
  await mustRun('blockdev', ['--flushbufs', disk.path], { timeoutSeconds: 600 });
  const dirty = await findNonZero(disk.path, disk.size);
  if (dirty !== null) throw new Error(`reads something else than zero at byte ${dirty} after the overwrite`);
}

async function quickErase(disk: ErasedDisk): Promise<void> {
  const partitions = await runTool('lsblk', ['-ln', '-o', 'PATH,TYPE', disk.path], { timeoutSeconds: 60 });
  for (const line of partitions.stdout.split('\n')) {
    const [path, type] = line.trim().split(/\s+/);
    if (type === 'part' && path !== undefined) await runTool('wipefs', ['-a', '-f', path], { timeoutSeconds: 60 });
  }
  await mustRun('wipefs', ['-a', '-f', disk.path], { timeoutSeconds: 60 });
  const end = Math.min(END, disk.size);
  for (const offset of [0, disk.size - end]) {
    const range = ['--offset', String(offset), '--length', String(end)];
    await mustRun('blkdiscard', ['--force', '--zeroout', ...range, disk.path], { timeoutSeconds: 600 });
  }
  await mustRun('blockdev', ['--flushbufs', disk.path], { timeoutSeconds: 600 });
}

/** First byte that is not zero among the sampled places of a device or file; null when all are zero. */
export async function findNonZero(path: string, size: number): Promise<number | null> {
  const length = Math.min(MIB, size);
  const zero = Buffer.alloc(length);
  const buffer = Buffer.alloc(length);
  const handle = await open(path, 'r');
  try {
    for (let place = 0; place <= SAMPLES + 1; place += 1) {
      const position = Math.floor(((size - length) * place) / (SAMPLES + 1) / 512) * 512;
      // The last place is exactly the end: the rounding above must not leave the last sector out.
      const offset = place === SAMPLES + 1 ? size - length : position;
      const { bytesRead } = await handle.read(buffer, 0, length, offset);
      if (bytesRead !== length) throw new Error(`read ${bytesRead} of ${length} bytes at ${offset}`);
      if (!buffer.equals(zero)) return offset + buffer.findIndex((byte) => byte !== 0);
    }
    return null;
  } finally {
    await handle.close();
  }
}

/** Nothing may hold a disk: mounts, swap, and volumes and arrays that udev assembled. */
async function releaseDisks(): Promise<void> {
  await runTool('swapoff', ['--all'], { timeoutSeconds: 60 });
  for (const line of (await readText('/proc/mounts')).split('\n')) {
    const [device = '', point = ''] = line.split(' ');
    if (/^\/dev\/(?!loop|root)/.test(device)) await runTool('umount', ['-l', point], { timeoutSeconds: 60 });
  }
  if ((await runTool('lsblk', ['-n', '-o', 'TYPE'], { timeoutSeconds: 30 })).stdout.match(/lvm|raid/) === null) return;
  await runTool('vgchange', ['-an', '--force', '--yes'], { timeoutSeconds: 120 });
  await runTool('mdadm', ['--stop', '--scan'], { timeoutSeconds: 120 });
}
