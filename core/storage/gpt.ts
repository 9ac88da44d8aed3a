/** GUID Partition Table, UEFI specification 2.10 §5.3. Sectors of 512 bytes: disk images have no others. */
export const SECTOR = 512;
const SIGNATURE = 'EFI PART';
/** The specification's minimum: 128 entries of 128 bytes. */
const ENTRIES_BYTES = 16_384;

export const ESP_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';

export interface GptPartition {
  number: number;
  /** Lower case, in the written order of a GUID. */
  type: string;
  /** Bytes. */
  start: number;
  size: number;
}

export interface Gpt {
  partitions: GptPartition[];
  /** Bytes up to which the table lets partitions reach. */
  usableEnd: number;
}

/** How many bytes at the start of a disk `readGpt` and `movedGpt` want: protective MBR, header and entries. */
export const GPT_HEAD = 2 * SECTOR + ENTRIES_BYTES;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 255] ?? 0)) >>> 0;
  return (crc ^ 0xffffffff) >>> 0;
}

interface Header {
  view: DataView;
  bytes: Uint8Array;
  entries: Uint8Array;
  count: number;
  entrySize: number;
}

/** Header and entries with right sums; null for anything else, tables of more than 128 entries included. */
function headerOf(head: Uint8Array): Header | null {
  if (head.length < GPT_HEAD) return null;
  // Copies: a Buffer's own slice() would share the caller's memory.
  const bytes = Uint8Array.from(head.subarray(SECTOR, 2 * SECTOR));
  if (String.fromCharCode(...bytes.subarray(0, 8)) !== SIGNATURE) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(12, true);
  if (size < 92 || size > SECTOR || view.getBigUint64(72, true) !== 2n) return null;
  const sum = view.getUint32(16, true);
  view.setUint32(16, 0, true);
  if (crc32(bytes.subarray(0, size)) !== sum) return null;
  const count = view.getUint32(80, true);
  const entrySize = view.getUint32(84, true);
  if (entrySize < 128 || entrySize % 8 !== 0 || count * entrySize > ENTRIES_BYTES) return null;
  const entries = Uint8Array.from(head.subarray(2 * SECTOR, 2 * SECTOR + ENTRIES_BYTES));
  if (crc32(entries.subarray(0, count * entrySize)) !== view.getUint32(88, true)) return null;
  return { view, bytes, entries, count, entrySize };
}

/** The table at the start of a disk; null when there is none with right sums. */
export function readGpt(head: Uint8Array): Gpt | null {
  const header = headerOf(head);
  if (header === null) return null;
  const partitions: GptPartition[] = [];
  for (let index = 0; index < header.count; index += 1) {
    const at = entryOf(header, index);
    const type = guid(at.bytes);
    const [first, last] = [at.view.getBigUint64(32, true), at.view.getBigUint64(40, true)];
    if (/^[0-]+$/.test(type) || last < first) continue;
    partitions.push({
      number: index + 1,
      type,
      start: Number(first) * SECTOR,
      size: Number(last - first + 1n) * SECTOR,
    });
  }
  return { partitions, usableEnd: (Number(header.view.getBigUint64(48, true)) + 1) * SECTOR };
}

/** What has to be written where, so that an image's table fits the disk it was written on. */
export interface MovedGpt {
  writes: { offset: number; bytes: Uint8Array }[];
  /** The partition that was made larger, with its new size. */
  grown: { number: number; size: number } | null;
}

/**
 * The image's table for a larger disk: second copy at its end, protective MBR over all of it, and `grow`, if it is the last
 * partition, up to that copy, in whole MiB. `diskSize` in bytes. Throws when there is no table or the disk ends before it.
 */
export function movedGpt(head: Uint8Array, diskSize: number, grow: number | null): MovedGpt {
  const header = headerOf(head);
  const table = readGpt(head);
  if (header === null || table === null) throw new Error('the disk image has no GPT with right sums');
  const lastSector = Math.floor(diskSize / SECTOR) - 1;
  const copyAt = lastSector - ENTRIES_BYTES / SECTOR;
  const end = Math.max(...table.partitions.map(({ start, size }) => start + size), 0);
  if (end > copyAt * SECTOR) throw new Error(`the partitions end at ${end}, beyond a disk of ${diskSize} bytes`);
  const chosen = table.partitions.find(({ number }) => number === grow);
  let grown: MovedGpt['grown'] = null;
  if (chosen !== undefined && chosen.start + chosen.size === end) {
    const room = copyAt * SECTOR - chosen.start;
    const size = room - (room % (1024 * 1024));
    if (size > chosen.size) {
      entryOf(header, chosen.number - 1).view.setBigUint64(40, BigInt((chosen.start + size) / SECTOR - 1), true);
      grown = { number: chosen.number, size };
    }
  }
  header.view.setBigUint64(48, BigInt(copyAt - 1), true);
  header.view.setUint32(88, crc32(header.entries.subarray(0, header.count * header.entrySize)), true);
  const copy = (own: number, other: number, entriesAt: number): Uint8Array => {
    const bytes = Uint8Array.from(header.bytes);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(24, BigInt(own), true);
    view.setBigUint64(32, BigInt(other), true);
    view.setBigUint64(72, BigInt(entriesAt), true);
    view.setUint32(16, 0, true);
    view.setUint32(16, crc32(bytes.subarray(0, view.getUint32(12, true))), true);
    return bytes;
  };
  return {
    // The copy first: a machine that loses power in between still finds a whole table at the start.
    writes: [
      { offset: copyAt * SECTOR, bytes: header.entries },
      { offset: lastSector * SECTOR, bytes: copy(lastSector, 1, copyAt) },
      { offset: 2 * SECTOR, bytes: header.entries },
      { offset: SECTOR, bytes: copy(1, lastSector, 2) },
      { offset: 0, bytes: protectiveMbr(Uint8Array.from(head.subarray(0, SECTOR)), lastSector) },
    ],
    grown,
  };
}

/** Boot code stays; a partition of type EE is stretched over the disk, as far as 32 bits go. Hybrid tables stay as they are. */
function protectiveMbr(bytes: Uint8Array, lastSector: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  for (let at = 446; at < 510; at += 16) {
    if (bytes[at + 4] === 0xee && view.getUint32(at + 8, true) === 1) {
      view.setUint32(at + 12, Math.min(lastSector, 0xffffffff), true);
    }
  }
  return bytes;
}

function entryOf({ entries, entrySize }: Header, index: number): { bytes: Uint8Array; view: DataView } {
  const bytes = entries.subarray(index * entrySize, (index + 1) * entrySize);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Three fields little-endian, two as they stand. */
function guid(bytes: Uint8Array): string {
  const hex = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) =>
    (bytes[at] ?? 0).toString(16).padStart(2, '0'),
  );
  return [hex.slice(0, 4), hex.slice(4, 6), hex.slice(6, 8), hex.slice(8, 10), hex.slice(10)]
    .map((part) => part.join(''))
    .join('-');
}

/** Partitions of a DOS table: its four entries, in bytes. Null when the sector is none, or only protects a GPT. */
export function readMbr(head: Uint8Array): (Omit<GptPartition, 'type'> & { type: number; active: boolean })[] | null {
  if (head.length < SECTOR || head[510] !== 0x55 || head[511] !== 0xaa) return null;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const found = [0, 1, 2, 3].flatMap((index) => {
    const at = 446 + index * 16;
    const [active, type] = [head[at] ?? 0, head[at + 4] ?? 0];
    if (active !== 0 && active !== 0x80) return [];
    const [start, size] = [view.getUint32(at + 8, true) * SECTOR, view.getUint32(at + 12, true) * SECTOR];
    return type === 0 || size === 0 ? [] : [{ number: index + 1, type, active: active === 0x80, start, size }];
  });
  return found.length === 0 || found.some(({ type }) => type === 0xee) ? null : found;
}
