import type { BootAnswer } from './answer-boot.ts';
import { type EphemeralBoot, kernelCommandLine } from './ipxe-script.ts';

/**
 * What Debian's signed network GRUB reads by TFTP. It looks for `grub/grub.cfg` itself; the machine's own part is sourced
 * again and again from there, so a wait needs no end and nothing nests. GRUB's language has no `&&` and no `||`.
 */

/** GRUB's own name for the card that it was loaded through, 52:54:00:…; empty where it does not know. */
export const GRUB_CONFIG = `while true; do
  source /ingot/$net_default_mac/boot.cfg
  sleep 5
done
`;

/**
 * First boot loaders of an EFI system partition, as their distributions sign them: their own directories before the fallback
 * path, whose loader may first want to write boot entries and start over.
 */
const LOADERS = [
  ...['debian', 'ubuntu', 'rocky', 'almalinux', 'centos', 'redhat', 'fedora'].map((os) => `/EFI/${os}/shimx64.efi`),
  '/EFI/opensuse/shim.efi',
  '/EFI/sles/shim.efi',
  '/EFI/Microsoft/Boot/bootmgfw.efi',
  '/EFI/BOOT/BOOTX64.EFI',
];

/** Pure. The machine's part for this answer; it ends with the kernel, another loader, or after which GRUB asks again. */
export function grubConfigOf(answer: BootAnswer): string {
  switch (answer.kind) {
    case 'wait':
      return `echo ${quoted(`Ingot: ${answer.why}`)}\n`;
    case 'poweroff':
      return 'halt\n';
    case 'local':
      return LOCAL;
    case 'ephemeral':
      return ephemeral(answer.boot);
  }
}

/**
 * A loader has to find its own files: Debian's GRUB tells it that it came from where `root` is, which is the rack again
 * when it came back, for what follows is read from there. `exit` gives the machine back to its firmware as a success, so
 * that OVMF shows its menu then and others try their next boot entry.
 */
const LOCAL = `set rack=$root
for loader in ${LOADERS.join(' ')}; do
  if search --no-floppy --file --set=root $loader; then
    if chainloader ($root)$loader; then boot; fi
  fi
  set root=$rack
done
echo 'Ingot: no disk that GRUB sees has a signed boot loader'
sleep 5
exit
`;

function ephemeral(boot: EphemeralBoot): string {
  const { kernel, initrd } = boot.image;
  const words = kernelCommandLine(boot).split(' ').map(quoted).join(' ');
  return `if linux /blobs/sha256/${kernel.sha256} ${words}; then
  if initrd /blobs/sha256/${initrd.sha256}; then boot; fi
fi
`;
}

/** Within single quotes GRUB takes every character for itself, and there is no way to write the quote. */
function quoted(text: string): string {
  return `'${text.replace(/['\r\n]/g, '')}'`;
}
