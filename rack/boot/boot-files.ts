import { readFile } from 'node:fs/promises';
import type { UefiBootChain } from '@ingot/contract/rack.ts';

/** A program that firmware, or the program before it, loads by this name. */
export interface BootProgram {
  name: string;
  /** Debian's package, and where it may put the file. */
  debian: string;
  files: readonly string[];
  /** The chain that needs it; null = every one does. */
  chain: UefiBootChain | null;
}

const ipxe = (name: string) => ['/usr/lib/ipxe', '/usr/share/ipxe'].map((directory) => `${directory}/${name}`);

/**
 * For UEFI iPXE is snponly.efi, which works through the firmware's own network driver: ipxe.efi with its own drivers does not
 * return to OVMF after `exit 1`, so a deployed machine would never come to its disk (seen with edk2-stable202211 and
 * virtio-net). shim asks for its second stage by the name grubx64.efi, wherever it came from.
 */
const PROGRAMS: readonly BootProgram[] = [
  { name: 'undionly.kpxe', debian: 'ipxe', files: ipxe('undionly.kpxe'), chain: null },
  { name: 'snponly.efi', debian: 'ipxe', files: ipxe('snponly.efi'), chain: 'ipxe' },
  { name: 'shimx64.efi', debian: 'shim-signed', files: ['/usr/lib/shim/shimx64.efi.signed'], chain: 'signed' },
  {
    name: 'grubx64.efi',
    debian: 'grub-efi-amd64-signed',
    files: ['/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'],
    chain: 'signed',
  },
];

export interface BootFiles {
  /** By any path that ends in the name; firmware writes backslashes and leading slashes as it likes. */
  find(path: string): Buffer | null;
  /** What this host does not have. */
  missing: readonly BootProgram[];
}

export async function loadBootFiles(programs: readonly BootProgram[] = PROGRAMS): Promise<BootFiles> {
  const found = new Map<string, Buffer>();
  for (const { name, files } of programs) {
    for (const file of files) {
      const bytes = await readFile(file).catch(() => null);
      if (bytes && !found.has(name)) found.set(name, bytes);
    }
  }
  return {
    find: (path) => found.get(path.replaceAll('\\', '/').replace(/^.*\//, '')) ?? null,
    missing: programs.filter(({ name }) => !found.has(name)),
  };
}

/** In words: what this chain needs and this host does not have, and the packages that bring it. Empty = nothing. */
export function missingFor(chain: UefiBootChain, files: Pick<BootFiles, 'missing'>): string {
  const needed = files.missing.filter((program) => program.chain === null || program.chain === chain);
  if (needed.length === 0) return '';
  const packages = new Set(needed.map(({ debian }) => debian));
  return `missing: ${needed.map(({ name }) => name).join(', ')}; install ${[...packages].join(' ')}`;
}
