import { readFile } from 'node:fs/promises';

/**
 * Debian's iPXE (package ipxe): the programs that firmware loads. Names as they stand in Kea's answers. For UEFI it is
 * snponly.efi, which works through the firmware's own network driver: ipxe.efi with its own drivers does not return to
 * OVMF after `exit 1`, so a deployed machine would never come to its disk (seen with edk2-stable202211 and virtio-net).
 */
const BOOT_FILES = ['undionly.kpxe', 'snponly.efi'] as const;
const DIRECTORIES = ['/usr/lib/ipxe', '/usr/share/ipxe'];

export interface BootFiles {
  /** By any path that ends in the name; firmware writes backslashes and leading slashes as it likes. */
  find(path: string): Buffer | null;
  missing: string[];
}

export async function loadBootFiles(directories: readonly string[] = DIRECTORIES): Promise<BootFiles> {
  const files = new Map<string, Buffer>();
  for (const name of BOOT_FILES) {
    for (const directory of directories) {
      const bytes = await readFile(`${directory}/${name}`).catch(() => null);
      if (bytes && !files.has(name)) files.set(name, bytes);
    }
  }
  return {
    find: (path) => files.get(path.replaceAll('\\', '/').replace(/^.*\//, '')) ?? null,
    missing: BOOT_FILES.filter((name) => !files.has(name)),
  };
}
