import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { gptDisk } from '@ingot/core/storage/testing/gpt-disk.ts';

const MIB = 2 ** 20;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';

/** Files of a system that can be deployed on both firmwares; empty, for only their names count. */
const COMPLETE = [
  'boot/vmlinuz-6.1.0-9-amd64',
  'boot/initrd.img-6.1.0-9-amd64',
  'etc/fstab',
  'usr/bin/cloud-init',
  'usr/sbin/update-initramfs',
  'usr/sbin/grub-install',
  'usr/lib/grub/i386-pc/boot.img',
  'usr/lib/shim/shimx64.efi.signed',
  'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
];

/** A tree below `directory`/tree, without the files that `lacks` names. */
export function sampleTree(directory: string, lacks: RegExp = /^$/): string {
  const tree = join(directory, 'tree');
  for (const path of COMPLETE.filter((name) => !lacks.test(name))) {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), '');
  }
  mkdirSync(join(tree, 'usr/lib'), { recursive: true });
  writeFileSync(join(tree, 'usr/lib/os-release'), 'NAME=Sample\nPRETTY_NAME="Sample OS 1"\nID=sample\n');
  return tree;
}

export type SampleFormat = 'tgz' | 'tar.zst' | 'txz' | 'squashfs' | 'raw' | 'raw.zst' | 'qcow2';

/** The tree in one of the formats; disks are 16 MiB with an ext4 root as their only partition and boot code. */
export function sampleImage(directory: string, format: SampleFormat, lacks?: RegExp): Buffer {
  const tree = sampleTree(directory, lacks);
  const file = join(directory, `sample.${format}`);
  const quiet = { stdio: 'pipe' as const };
  switch (format) {
    case 'tgz':
    case 'tar.zst':
    case 'txz': {
      const flag = { tgz: '--gzip', 'tar.zst': '--zstd', txz: '--xz' }[format];
      execFileSync('tar', ['-C', tree, flag, '-cf', file, '.'], quiet);
      break;
    }
    case 'squashfs':
      execFileSync('mksquashfs', [tree, file, '-noappend', '-quiet', '-no-progress', '-processors', '1'], quiet);
      break;
    case 'raw':
      rawDisk(tree, file);
      break;
    case 'raw.zst':
      rawDisk(tree, `${file}.raw`);
      execFileSync('zstd', ['-q', '-f', `${file}.raw`, '-o', file], quiet);
      break;
    case 'qcow2':
      rawDisk(tree, `${file}.raw`);
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', `${file}.raw`, file], quiet);
      break;
  }
  return readFileSync(file);
}

function rawDisk(tree: string, file: string): void {
  writeFileSync(file, '');
  truncateSync(file, 16 * MIB);
  const make = ['-q', '-b', '1024', '-E', `offset=${2 * MIB}`, '-d', tree, file, String((13 * MIB) / 1024)];
  execFileSync('mkfs.ext4', make, { stdio: 'pipe' });
  const handle = openSync(file, 'r+');
  for (const { offset, bytes } of gptDisk(crc32, 16 * MIB, [{ type: LINUX, start: 2 * MIB, size: 13 * MIB }], 0x90)) {
    writeSync(handle, bytes, 0, bytes.length, offset);
  }
  closeSync(handle);
}

export const sumOfBytes = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
