export type Firmware = 'bios' | 'uefi';

export interface LayoutPartition {
  /** Number in the partition table. */
  number: number;
  /** `bios_grub` belongs to the table, not to the model: the API does not list it. */
  role: 'bios_grub' | 'efi' | 'root';
  /** sgdisk type code. */
  typeCode: 'EF02' | 'EF00' | '8304';
  /** Bytes. */
  start: number;
  /** Bytes. */
  size: number;
  filesystem: 'vfat' | 'ext4' | 'none';
  /** What the API calls the file system. */
  fstype: 'fat32' | 'ext4' | null;
  mountPoint: string | null;
  label: string | null;
  bootable: boolean;
}

export type Layout =
  | { ok: true; partitions: LayoutPartition[] }
  | { ok: false; code: string; message: string; fix: string };

const MIB = 1024 * 1024;
/** Sizes are whole multiples of this, and the first partition starts here. */
const PARTITION_ALIGNMENT = 4 * MIB;
/** Kept free at the end for the second copy of the GPT. */
const END_OVERHEAD = 1 * MIB;
const BIOS_GRUB_SIZE = 1 * MIB;
const EFI_SIZE = 512 * MIB;
const SMALLEST_ROOT = 3 * 1024 * MIB;

/**
 * The layout `flat`: one ext4 root over the disk, GPT on both firmwares. BIOS: a 1 MiB partition for GRUB's core comes first,
 * so the root is number 2; UEFI: a 512 MiB EFI system partition, then the root.
 */
export function flatLayout(diskSize: number, firmware: Firmware): Layout {
  const overhead = PARTITION_ALIGNMENT + END_OVERHEAD + (firmware === 'bios' ? BIOS_GRUB_SIZE : 0);
  const usable = roundDown(diskSize - overhead);
  const rootSize = firmware === 'bios' ? usable : usable - EFI_SIZE;
  if (rootSize < SMALLEST_ROOT) {
    return {
      ok: false,
      code: 'install.disk_too_small',
      message: `The disk has ${diskSize} bytes; the root partition would have ${Math.max(0, rootSize)}, less than ${SMALLEST_ROOT}.`,
      fix: 'Choose a larger boot disk.',
    };
  }
  const first = firmware === 'bios' ? biosGrub() : efiSystem();
  const start = first.start + first.size;
  return {
    ok: true,
    partitions: [
      first,
      {
        number: 2,
        role: 'root',
        typeCode: '8304',
        start,
        size: rootSize,
        filesystem: 'ext4',
        fstype: 'ext4',
        mountPoint: '/',
        label: 'root',
        bootable: false,
      },
    ],
  };
}

function biosGrub(): LayoutPartition {
  return {
    number: 1,
    role: 'bios_grub',
    typeCode: 'EF02',
    start: PARTITION_ALIGNMENT,
    size: BIOS_GRUB_SIZE,
    filesystem: 'none',
    fstype: null,
    mountPoint: null,
    label: null,
    bootable: false,
  };
}

function efiSystem(): LayoutPartition {
  return {
    number: 1,
    role: 'efi',
    typeCode: 'EF00',
    start: PARTITION_ALIGNMENT,
    size: EFI_SIZE,
    filesystem: 'vfat',
    fstype: 'fat32',
    mountPoint: '/boot/efi',
    label: 'efi',
    bootable: true,
  };
}

function roundDown(bytes: number): number {
  return Math.floor(bytes / PARTITION_ALIGNMENT) * PARTITION_ALIGNMENT;
}
