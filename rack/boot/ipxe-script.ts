import type { BootImage } from '@ingot/contract/rack.ts';

/** iPXE scripts. No `||` fallback to a local boot: a half-fetched kernel must not turn into booting the disk. */

export interface EphemeralBoot {
  image: BootImage;
  /** http://IP:5248 */
  rackUrl: string;
  /** https://IP:5249 */
  agentUrl: string;
  /** SHA-256 of the DER certificate behind agentUrl, hex. */
  pin: string;
  ticket: string;
  /** The leased MAC, lower case with colons. */
  mac: string;
  options: string;
}

/** The names are those of docs/architecture.md, "What a booting machine meets at the rack". */
export function kernelCommandLine(boot: EphemeralBoot): string {
  const { image, mac } = boot;
  return [
    `ingot.rack=${boot.rackUrl}`,
    `ingot.agent=${boot.agentUrl}`,
    `ingot.pin=${boot.pin}`,
    `ingot.root=${image.squashfs.sha256}`,
    `ingot.ticket=${boot.ticket}`,
    `BOOTIF=01-${mac.replaceAll(':', '-')}`,
    ...withoutIpxeOperators(boot.options),
  ].join(' ');
}

/** iPXE would take these words of a kernel option for its own. */
function withoutIpxeOperators(options: string): string[] {
  return options.split(/\s+/).filter((word) => word !== '' && word !== '||' && word !== '&&' && !word.startsWith('#'));
}

/** `initrd=initrd` is needed by iPXE on UEFI. A failed fetch asks for a fresh script (and ticket) after a pause. */
export function ephemeralScript(boot: EphemeralBoot): string {
  const blob = (sha256: string) => `${boot.rackUrl}/blobs/sha256/${sha256}`;
  return `#!ipxe
kernel ${blob(boot.image.kernel.sha256)} initrd=initrd ${kernelCommandLine(boot)} || goto again
initrd --name initrd ${blob(boot.image.initrd.sha256)} || goto again
boot || goto again
${again(boot.rackUrl)}`;
}

/** Left over images would be handed to the next kernel as extra initrds, hence imgfree. */
function again(rackUrl: string): string {
  return `:again
imgfree
sleep 5
chain --replace --autofree ${rackUrl}/boot.ipxe || goto again
`;
}

export function waitScript(rackUrl: string, why: string): string {
  return `#!ipxe\necho Ingot: ${why.replace(/[^\w .,:'-]/g, ' ')}\n${again(rackUrl)}`;
}

/** Hands over to the firmware's next boot device. */
export const LOCAL_SCRIPT = '#!ipxe\nexit 1\n';

/** Where iPXE cannot switch off, the BMC does; the disk must not boot meanwhile. */
export const POWEROFF_SCRIPT = '#!ipxe\n:off\npoweroff ||\nsleep 30\ngoto off\n';
