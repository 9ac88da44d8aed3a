import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ESP_TYPE, GPT_HEAD, movedGpt, readGpt, readMbr } from './gpt.ts';
import { gptDisk } from './testing/gpt-disk.ts';

const MIB = 1024 * 1024;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const SIZE = 64 * MIB;
const partitions = [
  { type: ESP_TYPE, start: MIB, size: 8 * MIB },
  { type: LINUX, start: 9 * MIB, size: 54 * MIB },
];
const head = (): Buffer => gptDisk(crc32, SIZE, partitions)[0]?.bytes ?? Buffer.alloc(0);

/** The first sectors of a disk after the writes. */
function after(writes: { offset: number; bytes: Uint8Array }[], diskSize: number): Buffer {
  const disk = Buffer.alloc(diskSize);
  for (const { offset, bytes } of writes) disk.set(bytes, offset);
  return disk;
}

describe('GPT of a disk image', () => {
  test('partitions in bytes, types in the written order', () => {
    expect(readGpt(head())).toEqual({
      usableEnd: SIZE - 33 * 512,
      partitions: partitions.map((one, index) => ({ number: index + 1, ...one })),
    });
  });

  test('on a larger disk the copy is at the end, and the last partition reaches it', () => {
    const larger = 100 * MIB;
    const moved = movedGpt(head(), larger, 2);
    expect(moved.grown).toEqual({ number: 2, size: 90 * MIB });
    const disk = after(moved.writes, larger);
    expect(readGpt(disk.subarray(0, GPT_HEAD))?.partitions[1]?.size).toBe(90 * MIB);
    expect(disk.readUInt32LE(458)).toBe(larger / 512 - 1);
    // The copy's own header: right sum over itself, entries before it, the first header as the other one.
    const copy = disk.subarray(larger - 512);
    expect(copy.toString('latin1', 0, 8)).toBe('EFI PART');
    expect([copy.readBigUInt64LE(24), copy.readBigUInt64LE(32), copy.readBigUInt64LE(72)]).toEqual([
      BigInt(larger / 512 - 1),
      1n,
      BigInt(larger / 512 - 33),
    ]);
    expect(disk.subarray(larger - 33 * 512, larger - 512).equals(disk.subarray(1024, GPT_HEAD))).toBe(true);
  });

  test('only the last partition grows, on a disk of the same size none', () => {
    expect(movedGpt(head(), 100 * MIB, 1).grown).toBeNull();
    expect(movedGpt(head(), SIZE, 2).grown).toBeNull();
  });

  test('a table whose bytes were changed is none, and a smaller disk is refused', () => {
    const bad = head();
    bad[1024 + 40] = (bad[1024 + 40] ?? 0) ^ 1;
    expect(readGpt(bad)).toBeNull();
    expect(() => movedGpt(bad, SIZE, null)).toThrow('no GPT');
    expect(() => movedGpt(head(), 32 * MIB, null)).toThrow('beyond a disk of');
  });

  test('a DOS table is read; one that only protects a GPT is none', () => {
    expect(readMbr(head())).toBeNull();
    const mbr = Buffer.alloc(512);
    mbr.set([0x80, 0, 0, 0, 0x83, 0, 0, 0], 446);
    mbr.writeUInt32LE(2048, 454);
    mbr.writeUInt32LE(4096, 458);
    mbr.set([0x55, 0xaa], 510);
    expect(readMbr(mbr)).toEqual([{ number: 1, type: 0x83, active: true, start: MIB, size: 2 * MIB }]);
  });
});
