import { booleanField, listField, numberField, parseJsonOutput, textField } from './inventory.ts';

/** A whole disk that can hold data. */
export interface DiskFact {
  /** Kernel name, e.g. vda. */
  name: string;
  model: string | null;
  serial: string | null;
  /** Bytes. */
  size: number;
  blockSize: number;
  firmwareVersion: string | null;
  /** `/dev/disk/by-id/…`, or `/dev/NAME` for a disk without serial or link. */
  idPath: string;
  tags: string[];
}

/** Disks of this size and below are boot media of BMCs and the like. */
const SMALLEST = 4 * 1024 * 1024;
const MAX_DISKS = 4096;

/**
 * Disks from `lsblk --json --bytes -O`: whole disks only; no optical drives, loop or RAM disks, read-only or tiny ones, and
 * none that hold a bcache.
 */
export function disksFromLsblk(text: string, links: Record<string, string>, warn: (text: string) => void): DiskFact[] {
  const disks: DiskFact[] = [];
  for (const device of listField(parseJsonOutput('lsblk', text, warn), 'blockdevices').slice(0, MAX_DISKS)) {
    const name = textField(device, 'kname') || textField(device, 'name');
    const size = numberField(device, 'size') ?? 0;
    if (textField(device, 'type') !== 'disk' || !/^[A-Za-z0-9!_-]+$/.test(name)) continue;
    if (/^(loop|ram|zram|sr|fd|bcache|nbd)\d/.test(name) || booleanField(device, 'ro') || size <= SMALLEST) continue;
    if (listField(device, 'children').some((child) => textField(child, 'kname').startsWith('bcache'))) continue;
    const serial = textField(device, 'serial') || null;
    const link = links[name];
    disks.push({
      name,
      model: textField(device, 'model') || null,
      serial,
      size,
      blockSize: numberField(device, 'log-sec') || 512,
      firmwareVersion: textField(device, 'rev') || null,
      idPath: link !== undefined && serial !== null ? `/dev/disk/by-id/${link}` : `/dev/${name}`,
      tags: diskTags(device),
    });
  }
  return disks.sort((a, b) => byName(a.name, b.name));
}

function diskTags(device: unknown): string[] {
  const tags = [booleanField(device, 'rota') ? 'rotary' : 'ssd'];
  if (booleanField(device, 'rm')) tags.push('removable');
  if (textField(device, 'tran') === 'sata') tags.push('sata');
  return tags;
}

/** vda before vdb before vdaa: the kernel counts in letters like a spreadsheet. */
function byName(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
