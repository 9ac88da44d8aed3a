const SECTOR = 512;
const ENTRIES = 16_384;

export interface TestPartition {
  /** GUID text. */
  type: string;
  /** Bytes, multiples of 512. */
  start: number;
  size: number;
}

/** Both copies of a GPT for a disk of `size` bytes, made apart from the code under test: `crc32` is zlib's. */
export function gptDisk(
  crc32: (bytes: Buffer) => number,
  size: number,
  partitions: readonly TestPartition[],
  bootCode = 0,
): { offset: number; bytes: Buffer }[] {
  const last = size / SECTOR - 1;
  const entries = Buffer.alloc(ENTRIES);
  partitions.forEach(({ type, start, size: length }, index) => {
    const at = index * 128;
    guidBytes(type).copy(entries, at);
    guidBytes(`0000000${index + 1}-1111-4222-8333-444444444444`).copy(entries, at + 16);
    entries.writeBigUInt64LE(BigInt(start / SECTOR), at + 32);
    entries.writeBigUInt64LE(BigInt((start + length) / SECTOR - 1), at + 40);
  });
  const header = (own: number, other: number, entriesAt: number): Buffer => {
    const bytes = Buffer.alloc(SECTOR);
    bytes.write('EFI PART', 0, 'latin1');
    bytes.writeUInt32LE(0x00010000, 8);
    bytes.writeUInt32LE(92, 12);
    bytes.writeBigUInt64LE(BigInt(own), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(34n, 40);
    bytes.writeBigUInt64LE(BigInt(last - 33), 48);
    guidBytes('99999999-1111-4222-8333-444444444444').copy(bytes, 56);
    bytes.writeBigUInt64LE(BigInt(entriesAt), 72);
    bytes.writeUInt32LE(128, 80);
    bytes.writeUInt32LE(128, 84);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 16);
    return bytes;
  };
  const mbr = Buffer.alloc(SECTOR);
  mbr.fill(bootCode, 0, 440);
  mbr.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff], 446);
  mbr.writeUInt32LE(1, 454);
  mbr.writeUInt32LE(last, 458);
  mbr.set([0x55, 0xaa], 510);
  return [
    { offset: 0, bytes: Buffer.concat([mbr, header(1, last, 2), entries]) },
    { offset: size - 33 * SECTOR, bytes: Buffer.concat([entries, header(last, 1, last - 32)]) },
  ];
}

function guidBytes(text: string): Buffer {
  const hex = text.replaceAll('-', '');
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Buffer.from(order.map((at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16)));
}
