import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { gptDisk } from '@ingot/core/storage/testing/gpt-disk.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fitToDisk, mountRoot, writeDiskImage } from './disk-image.ts';

const MIB = 1024 * 1024;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const IMAGE_SIZE = 40 * MIB;
const ROOT = { start: 2 * MIB, size: 37 * MIB };

describe.runIf(process.getuid?.() === 0)('a disk image on a loop device', () => {
  let directory = '';
  let loop = '';
  let server: Server;
  let url = '';
  let archive = Buffer.alloc(0);
  let served = Buffer.alloc(0);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ingot-disk-image-'));
    mkdirSync(join(directory, 'tree/etc'), { recursive: true });
    writeFileSync(join(directory, 'tree/etc/fstab'), 'the image\n');
    const raw = join(directory, 'image.raw');
    writeFileSync(raw, '');
    truncateSync(raw, IMAGE_SIZE);
    const blocks = String(ROOT.size / 1024);
    execFileSync('mkfs.ext4', [
      '-q',
      '-b',
      '1024',
      '-E',
      `offset=${ROOT.start}`,
      '-d',
      join(directory, 'tree'),
      raw,
      blocks,
    ]);
    const file = openSync(raw, 'r+');
    for (const { offset, bytes } of gptDisk(crc32, IMAGE_SIZE, [{ type: LINUX, ...ROOT }])) {
      writeSync(file, bytes, 0, bytes.length, offset);
    }
    closeSync(file);
    execFileSync('zstd', ['-q', raw, '-o', join(directory, 'image.raw.zst')]);
    archive = readFileSync(join(directory, 'image.raw.zst'));
    served = archive;
    server = createServer((incoming, answer) => {
      const start = Number(/bytes=(\d+)-/.exec(incoming.headers.range ?? '')?.[1] ?? 0);
      answer.writeHead(start === 0 ? 200 : 416).end(start === 0 ? served : undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // A listening TCP server has no other kind of address.
    url = `http://127.0.0.1:${port}/image`;
  });

  afterEach(() => {
    spawnSync('umount', ['-q', join(directory, 'mnt')]);
    execFileSync('losetup', ['--detach', loop]);
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });

  /** A disk of this size on which something was before. */
  const disk = (size: number) => {
    const file = join(directory, 'disk');
    writeFileSync(file, Buffer.alloc(size, 'old data '));
    loop = execFileSync('losetup', ['--partscan', '--find', '--show', file], { encoding: 'utf8' }).trim();
  };

  const image = (): InstallPlan['image'] => ({
    path: '/image',
    sha256: createHash('sha256').update(archive).digest('hex'),
    size: archive.length,
    format: 'raw.zst',
    disk: { size: IMAGE_SIZE, table: 'gpt', root: { number: 1, filesystem: 'ext4' } },
  });

  const write = () =>
    writeDiskImage(image(), loop, {
      url,
      sha256: image().sha256,
      size: archive.length,
      sumFile: join(directory, 'sum'),
      onProgress: () => undefined,
      log: () => undefined,
    });

  const bytesAt = (offset: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    const file = openSync(join(directory, 'disk'), 'r');
    readSync(file, buffer, 0, length, offset);
    closeSync(file);
    return buffer;
  };

  test('is written whole, its root grows to the end of a larger disk, and files go into it', async () => {
    disk(80 * MIB);
    await write();
    await fitToDisk(image(), loop);
    const target = join(directory, 'mnt');
    await mountRoot(image(), loop, target);
    expect(readFileSync(join(target, 'etc/fstab'), 'utf8')).toBe('the image\n');
    writeFileSync(join(target, 'etc/ours'), 'ours');
    const { blocks, bsize } = statfsSync(target);
    expect(blocks * bsize).toBeGreaterThan(65 * MIB);
    execFileSync('umount', [target]);
    execFileSync('e2fsck', ['-fn', `${loop}p1`], { stdio: 'pipe' });
    // libblkid judges the second copy: with the first header gone it must find the same partition.
    const sizes = () =>
      execFileSync('partx', ['--bytes', '--show', '--noheadings', '--output', 'SIZE', loop], {
        encoding: 'utf8',
      }).trim();
    expect(sizes()).toBe(String(77 * MIB));
    execFileSync('dd', ['if=/dev/zero', `of=${loop}`, 'bs=512', 'seek=1', 'count=33', 'status=none', 'conv=fsync']);
    expect(sizes()).toBe(String(77 * MIB));
  });

  /**
   * @fault A disk image is altered, or cut off, on its way to the machine
   * @sees install.image_mismatch with both sums
   * @ends Both ends of the disk are cleared so that nothing on it can start; the machine is in Failed deployment
   */
  test.each([
    [
      'altered',
      () =>
        Buffer.from(archive).fill(
          (archive[archive.length >> 1] ?? 0) ^ 1,
          archive.length >> 1,
          (archive.length >> 1) + 1,
        ),
    ],
    ['cut off', () => archive.subarray(0, archive.length >> 1)],
  ])('an image that is %s fails by its code and leaves nothing that boots', async (_what, damaged) => {
    disk(IMAGE_SIZE);
    served = damaged();
    await expect(write()).rejects.toMatchObject({ code: 'install.image_mismatch' });
    execFileSync('blockdev', ['--flushbufs', loop]);
    for (const at of [0, IMAGE_SIZE - MIB]) expect(bytesAt(at, MIB).equals(Buffer.alloc(MIB))).toBe(true);
  });

  /**
   * @fault The disk of the machine is smaller than the disk image
   * @sees install.disk_too_small with both sizes; usually before the deployment begins, here by the agent
   * @ends Not a byte of the disk has changed
   */
  test('a disk that is too small is refused before the first byte', async () => {
    disk(IMAGE_SIZE - MIB);
    const before = bytesAt(0, IMAGE_SIZE - MIB);
    await expect(write()).rejects.toMatchObject({ code: 'install.disk_too_small' });
    expect(bytesAt(0, IMAGE_SIZE - MIB).equals(before)).toBe(true);
  });
});
