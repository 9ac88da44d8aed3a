import { expect, test } from 'vitest';
import { fatHas, type ReadAt } from './fat.ts';

const SECTOR = 512;

/** FAT16 with one sector a cluster: 1 reserved sector, one FAT of 20 sectors, 16 root entries, 5000 clusters. */
function fat16(files: { directory: number | null; name: string; cluster: number; attributes?: number }[]): Buffer {
  const image = Buffer.alloc((1 + 20 + 1 + 5000) * SECTOR);
  image.writeUInt16LE(SECTOR, 11);
  image[13] = 1;
  image.writeUInt16LE(1, 14);
  image[16] = 1;
  image.writeUInt16LE(16, 17);
  image.writeUInt16LE(image.length / SECTOR, 19);
  image.writeUInt16LE(20, 22);
  image.set([0x55, 0xaa], 510);
  const used = new Map<number, number>();
  for (const { directory, name, cluster, attributes = 0x10 } of files) {
    const start = directory === null ? 21 * SECTOR : (22 + directory - 2) * SECTOR;
    const index = used.get(start) ?? 0;
    used.set(start, index + 1);
    image.write(name, start + index * 32, 'latin1');
    image[start + index * 32 + 11] = attributes;
    image.writeUInt16LE(cluster, start + index * 32 + 26);
    image.writeUInt16LE(0xffff, SECTOR + cluster * 2);
  }
  return image;
}

const reader =
  (image: Buffer): ReadAt =>
  async (offset, length) =>
    image.subarray(offset, offset + length);

const tree = [
  { directory: null, name: 'ESP        ', cluster: 0, attributes: 0x08 },
  { directory: null, name: 'EFI        ', cluster: 2 },
  { directory: 2, name: 'BOOT       ', cluster: 3 },
  { directory: 3, name: 'BOOTX64 EFI', cluster: 4, attributes: 0x20 },
];

test('a file is found through its directories, in any case', async () => {
  expect(await fatHas(reader(fat16(tree)), 'EFI/Boot/bootx64.efi')).toBe(true);
  expect(await fatHas(reader(fat16(tree)), 'EFI/BOOT/BOOTAA64.EFI')).toBe(false);
});

test('a chain of clusters that bites its tail ends, and what is no FAT has nothing', async () => {
  const looped = fat16(tree);
  looped.fill(0xe5, 22 * SECTOR, 23 * SECTOR);
  looped.writeUInt16LE(2, SECTOR + 4);
  expect(await fatHas(reader(looped), 'EFI/BOOT/BOOTX64.EFI')).toBe(false);
  expect(await fatHas(reader(Buffer.alloc(512)), 'EFI')).toBe(false);
});
