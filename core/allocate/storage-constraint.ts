import type { CandidateDisk } from './candidate.ts';

export interface StorageGroup {
  /** Names the match in the answer; null: not told. */
  label: string | null;
  /** Bytes, at least. */
  size: number;
  tags: string[];
  /** A partition is asked for, not a disk. */
  partition: boolean;
}

const GROUP = /(?:([a-zA-Z0-9]+):)?([0-9.]+)(?:\(([^)]+)\))?/y;

/** `label:size(tag,tag),…`, sizes in GB (10^9 bytes). Null when the text is not exactly that. */
export function parseStorage(text: string): StorageGroup[] | null {
  const groups: StorageGroup[] = [];
  let at = 0;
  while (at <= text.length) {
    GROUP.lastIndex = at;
    const found = GROUP.exec(text);
    const size = Number(found?.[2]);
    if (found === null || !Number.isFinite(size)) return null;
    const tags = found[3]?.split(',') ?? [];
    if (tags.some((tag) => tag === '')) return null;
    groups.push({
      label: found[1] ?? null,
      size: Math.round(size * 1e9),
      tags: tags.filter((tag) => tag !== 'partition'),
      partition: tags.includes('partition'),
    });
    at = GROUP.lastIndex;
    if (at === text.length) return groups;
    if (text[at] !== ',') return null;
    at += 1;
  }
  return null;
}

/** Label → ids of the devices that serve it: a number for a disk, `partition:ID` for a partition. */
export type StorageMatch = Record<string, (number | string)[]>;

interface Device {
  key: number | string;
  size: number;
  tags: readonly string[];
}

/**
 * Give each group a device, or null if one finds none. The first group is the root device; the others take the smallest
 * unused one that fits, those with most tags choosing first. Greedy, as clients know it: no choice is taken back.
 */
export function matchStorage(disks: readonly CandidateDisk[], groups: readonly StorageGroup[]): StorageMatch | null {
  const [first, ...rest] = groups;
  if (first === undefined) return {};
  const fits = (group: StorageGroup) => (device: Device) =>
    device.size >= group.size && group.tags.every((tag) => device.tags.includes(tag));
  const root = rootDevice(disks, first.partition);
  if (root === null || !fits(first)(root)) return null;
  const match: StorageMatch = {};
  const taken = new Set<number | string>([root.key]);
  const note = (label: string | null, key: number | string) => {
    if (label !== null) match[label] = [...(match[label] ?? []), key];
  };
  note(first.label, root.key);
  for (const group of rest.toSorted((a, b) => b.tags.length - a.tags.length)) {
    const free = freeDevices(disks, group.partition).filter((device) => !taken.has(device.key));
    const chosen = free.toSorted((a, b) => a.size - b.size).find(fits(group));
    if (chosen === undefined) return null;
    taken.add(chosen.key);
    note(group.label, chosen.key);
  }
  return match;
}

function rootDevice(disks: readonly CandidateDisk[], partition: boolean): Device | null {
  const disk = disks.find((one) => one.root);
  if (disk === undefined) return null;
  if (!partition) return { key: disk.id, size: disk.size, tags: disk.tags };
  const found = disk.partitions.find((one) => one.root);
  return found === undefined ? null : { key: `partition:${found.id}`, size: found.size, tags: found.tags };
}

function freeDevices(disks: readonly CandidateDisk[], partition: boolean): Device[] {
  if (!partition) {
    return disks.filter((disk) => !disk.used && !disk.root).map(({ id, size, tags }) => ({ key: id, size, tags }));
  }
  const partitions = disks.flatMap((disk) => disk.partitions).filter((one) => !one.used && !one.root);
  return partitions.map(({ id, size, tags }) => ({ key: `partition:${id}`, size, tags }));
}
