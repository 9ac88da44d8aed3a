import type { Firmware, LayoutPartition } from './flat-layout.ts';

export interface PlannedFile {
  path: string;
  mode: number;
  content: string;
  /** Written only where the unpacked system has this path, or has it not. */
  onlyWith?: string;
  onlyWithout?: string;
}

export interface InstallImage {
  sha256: string;
  size: number;
  format: 'tar.zst' | 'tgz' | 'squashfs' | 'raw.zst';
  /** raw.zst: what is on the disk when the image is written. */
  disk?: {
    size: number;
    table: 'gpt' | 'mbr' | 'none';
    root: { number: number; filesystem: string } | null;
  };
}

export interface InstallInput {
  firmware: Firmware;
  hostname: string;
  disk: { name: string; serial: string | null; idPath: string | null; size: number };
  /** Of `flatLayout`; none for a disk image, which brings its own. `filesystemUuid` of a stored partition is kept; others get one of `newUuid`. */
  partitions: (LayoutPartition & { uuid?: string; filesystemUuid?: string | null })[];
  image: InstallImage;
  /** cloud-init's files and the like; fstab and hostname are added here. */
  files: PlannedFile[];
  kernelOptions: string;
  /** Randomness is the caller's: a fresh RFC 4122 UUID each time. */
  newUuid: () => string;
}

/** What the agent carries out in order; the shape of the contract's InstallPlan. */
export interface PlannedInstall {
  firmware: Firmware;
  hostname: string;
  disk: { name: string; serial: string | null; idPath: string | null; size: number };
  partitions: {
    number: number;
    typeCode: string;
    start: number;
    size: number;
    filesystem: 'vfat' | 'ext4' | 'none';
    mountPoint: string | null;
    uuid: string;
    filesystemUuid: string | null;
    label: string | null;
  }[];
  image: InstallImage & { path: string };
  files: PlannedFile[];
  kernelOptions: string;
}

/** Disk, partitions with identities, image and files, ready to be sent. Pure but for `newUuid`. */
export function installPlan(input: InstallInput): PlannedInstall {
  const partitions = input.partitions.map((partition) => ({
    number: partition.number,
    typeCode: partition.typeCode,
    start: partition.start,
    size: partition.size,
    filesystem: partition.filesystem,
    mountPoint: partition.mountPoint,
    uuid: partition.uuid ?? input.newUuid(),
    filesystemUuid: filesystemIdentity(partition.filesystem, partition.filesystemUuid ?? null, input.newUuid),
    label: partition.label,
  }));
  return {
    firmware: input.firmware,
    hostname: input.hostname,
    disk: input.disk,
    partitions,
    image: { path: `/blobs/sha256/${input.image.sha256}`, ...input.image },
    files: [
      // A disk image mounts what it brought.
      ...(partitions.length === 0 ? [] : [{ path: '/etc/fstab', mode: 0o644, content: fstab(partitions) }]),
      { path: '/etc/hostname', mode: 0o644, content: `${input.hostname}\n` },
      ...input.files,
    ],
    kernelOptions: input.kernelOptions,
  };
}

/** FAT has no UUID but a 32-bit volume id, written as 8 hex digits with a dash; a stored UUID gives its first eight. */
function filesystemIdentity(filesystem: string, stored: string | null, newUuid: () => string): string | null {
  if (filesystem === 'none') return null;
  const uuid = stored ?? newUuid();
  if (filesystem !== 'vfat') return uuid;
  const digits = uuid.replaceAll('-', '').slice(0, 8).toUpperCase();
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

function fstab(partitions: PlannedInstall['partitions']): string {
  const lines = partitions
    .filter((partition) => partition.mountPoint !== null)
    .sort((a, b) => (a.mountPoint ?? '').length - (b.mountPoint ?? '').length)
    .map((partition) => {
      const options = partition.filesystem === 'vfat' ? 'umask=0077' : 'errors=remount-ro';
      const pass = partition.mountPoint === '/' ? 1 : 2;
      return `UUID=${partition.filesystemUuid} ${partition.mountPoint} ${partition.filesystem} ${options} 0 ${pass}`;
    });
  return `${lines.join('\n')}\n`;
}
