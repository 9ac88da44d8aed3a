import { type FileHandle, open } from 'node:fs/promises';
import { type ImageContent, type ImageDisk, systemName } from '@ingot/core/plan/image-content.ts';
import { ESP_TYPE, GPT_HEAD, readGpt, readMbr } from '@ingot/core/storage/gpt.ts';
import { boundedTool } from '../upload/bounded-tool.ts';
import { fatHas } from './fat.ts';

const DEADLINE_MS = 120_000;
const MBR_ESP = 0xef;
const LOADER = 'EFI/BOOT/BOOTX64.EFI';

interface Partition {
  number: number;
  start: number;
  size: number;
  esp: boolean;
}

/** What a raw disk (a plain file, sparse or not) holds: table, root file system, what in it boots. */
export async function inspectDisk(file: string): Promise<ImageContent> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const head = await readAt(handle, 0, GPT_HEAD);
    const { table, partitions } = partitionsOf(head, size);
    const last = Math.max(...partitions.map((one) => one.start + one.size));
    let uefi = false;
    let root: ImageDisk['root'] = null;
    let inside: Inside | null = null;
    for (const one of partitions) {
      uefi ||= one.esp && (await fatHas((at, length) => readAt(handle, one.start + at, length), LOADER));
      const filesystem = await filesystemAt(handle, one.start);
      if (one.esp || filesystem === null) continue;
      const looked = filesystem === 'ext4' ? await insideExt4(file, one.start) : null;
      if (filesystem === 'ext4' && looked === null) continue;
      // What was seen to be a system wins over what can only be guessed, then the larger one.
      if (inside !== null && looked === null) continue;
      if (root !== null && (inside === null) === (looked === null) && root.size >= one.size) continue;
      root = { number: one.number, filesystem, size: one.size, last: one.start + one.size === last };
      inside = looked;
    }
    return {
      shape: 'disk',
      system: inside?.system ?? null,
      kernels: null,
      initrdMaker: inside?.initrdMaker ?? null,
      cloudInit: inside?.cloudInit ?? null,
      boots: { bios: head.subarray(0, 440).some((byte) => byte !== 0), uefi },
      disk: { size, table, root },
    };
  } finally {
    await handle.close();
  }
}

function partitionsOf(head: Buffer, size: number): { table: ImageDisk['table']; partitions: Partition[] } {
  const gpt = readGpt(head);
  if (gpt !== null) {
    return { table: 'gpt', partitions: gpt.partitions.map((one) => ({ ...one, esp: one.type === ESP_TYPE })) };
  }
  const mbr = readMbr(head);
  if (mbr !== null) {
    return { table: 'mbr', partitions: mbr.map((one) => ({ ...one, esp: one.type === MBR_ESP })) };
  }
  return { table: 'none', partitions: [{ number: 0, start: 0, size, esp: false }] };
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** By the magic numbers of the superblocks. */
async function filesystemAt(handle: FileHandle, start: number): Promise<string | null> {
  const bytes = await readAt(handle, start, 65_536 + 128);
  const text = (at: number, length: number) => bytes.toString('latin1', at, at + length);
  if (bytes.length > 1082 && bytes.readUInt16LE(1080) === 0xef53) return 'ext4';
  if (text(0, 4) === 'XFSB') return 'xfs';
  return text(65_600, 8) === '_BHRfS_M' ? 'btrfs' : null;
}

interface Inside {
  system: string | null;
  initrdMaker: boolean;
  cloudInit: boolean;
}

/** By debugfs, which reads without mounting: no privilege, and no kernel meets a stranger's file system. Null: no system. */
async function insideExt4(file: string, offset: number): Promise<Inside | null> {
  const ask = async (request: string): Promise<string> => {
    let text = '';
    await boundedTool('debugfs', ['-R', request, `${file}?offset=${offset}`], { deadlineMs: DEADLINE_MS }, (line) => {
      if (text.length < 1_000_000) text += `${line}\n`;
    }).catch(() => undefined);
    return text;
  };
  // `-p` prints /inode/mode/uid/gid/name/size/ a line.
  const names = async (directory: string): Promise<Set<string>> =>
    new Set((await ask(`ls -p ${directory}`)).split('\n').map((line) => line.split('/')[5] ?? ''));
  const etc = await names('/etc');
  if (!etc.has('fstab') && !etc.has('os-release')) return null;
  const [bin, sbin] = [await names('/usr/bin'), await names('/usr/sbin')];
  return {
    system: systemName(await ask('cat /usr/lib/os-release')),
    initrdMaker: sbin.has('update-initramfs') || bin.has('dracut'),
    cloudInit: bin.has('cloud-init'),
  };
}
