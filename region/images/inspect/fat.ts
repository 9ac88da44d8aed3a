/** Reads `length` bytes at an offset from the start of a file system. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>;

interface Geometry {
  clusterBytes: number;
  fatAt: number;
  dataAt: number;
  /** FAT12 and FAT16 have their root directory before the data; FAT32 has it in a cluster. */
  root: { at: number; bytes: number } | { cluster: number };
  bits: 12 | 16 | 32;
}

/** Directories of a boot partition are short; more clusters than this means a loop. */
const MOST_CLUSTERS = 1024;

/** Is there a file with this path of 8.3 names, like EFI/BOOT/BOOTX64.EFI? False for anything that is not FAT (ECMA-107). */
export async function fatHas(read: ReadAt, path: string): Promise<boolean> {
  const fat = geometry(await read(0, 512));
  if (fat === null) return false;
  let directory = fat.root;
  for (const name of path.toUpperCase().split('/')) {
    const entry = entryNamed(await bytesOf(read, fat, directory), name);
    if (entry === null) return false;
    directory = { cluster: entry };
  }
  return true;
}

function geometry(boot: Buffer): Geometry | null {
  if (boot.length < 512 || boot[510] !== 0x55 || boot[511] !== 0xaa) return null;
  const sector = boot.readUInt16LE(11);
  const perCluster = boot[13] ?? 0;
  const reserved = boot.readUInt16LE(14);
  const copies = boot[16] ?? 0;
  const rootEntries = boot.readUInt16LE(17);
  const fatSectors = boot.readUInt16LE(22) || boot.readUInt32LE(36);
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  if (![512, 1024, 2048, 4096].includes(sector) || perCluster === 0 || copies === 0 || fatSectors === 0) return null;
  const rootAt = (reserved + copies * fatSectors) * sector;
  const dataAt = rootAt + Math.ceil((rootEntries * 32) / sector) * sector;
  // The number of clusters alone says which kind it is.
  const clusters = Math.floor((sectors - dataAt / sector) / perCluster);
  const bits = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32;
  return {
    clusterBytes: sector * perCluster,
    fatAt: reserved * sector,
    dataAt,
    root: bits === 32 ? { cluster: boot.readUInt32LE(44) } : { at: rootAt, bytes: rootEntries * 32 },
    bits,
  };
}

async function bytesOf(read: ReadAt, fat: Geometry, where: Geometry['root']): Promise<Buffer> {
  if ('at' in where) return read(where.at, where.bytes);
  const parts: Buffer[] = [];
  let { cluster } = where;
  for (let count = 0; cluster >= 2 && cluster < end(fat.bits) && count < MOST_CLUSTERS; count += 1) {
    parts.push(await read(fat.dataAt + (cluster - 2) * fat.clusterBytes, fat.clusterBytes));
    cluster = await next(read, fat, cluster);
  }
  return Buffer.concat(parts);
}

const end = (bits: Geometry['bits']): number => ({ 12: 0xff7, 16: 0xfff7, 32: 0x0ffffff7 })[bits];

async function next(read: ReadAt, { bits, fatAt }: Geometry, cluster: number): Promise<number> {
  const bytes = await read(fatAt + Math.floor((cluster * bits) / 8), 4);
  if (bytes.length < 4) return 0;
  if (bits === 32) return bytes.readUInt32LE(0) & 0x0fffffff;
  const pair = bytes.readUInt16LE(0);
  if (bits === 16) return pair;
  return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
}

/** First cluster of the entry; null when there is none of that name. */
function entryNamed(directory: Buffer, name: string): number | null {
  const [base = '', extension = ''] = name.split('.');
  const wanted = base.padEnd(8) + extension.padEnd(3);
  for (let at = 0; at + 32 <= directory.length && directory[at] !== 0; at += 32) {
    // 0x08: volume label, and every part of a long name.
    if (((directory[at + 11] ?? 0) & 0x08) !== 0) continue;
    if (directory.toString('latin1', at, at + 11) !== wanted) continue;
    return directory.readUInt16LE(at + 20) * 65_536 + directory.readUInt16LE(at + 26);
  }
  return null;
}
