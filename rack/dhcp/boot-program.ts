import type { UefiBootChain } from '@ingot/contract/rack.ts';
import type { NetworkBoot } from '@ingot/protocols/dhcp/proxy.ts';

/** Client architectures of option 93: RFC 4578 §2.1 and IANA's registry. */
export const ARCH = { bios: 0x0000, efiX64: 0x0007, efiBc: 0x0009, httpX64: 0x0010, httpX86: 0x000f } as const;

/** The architectures that get each program; the same whether Kea or our proxy answers. */
export const ARCHS_OF = {
  bios: [ARCH.bios],
  uefi: [ARCH.efiX64, ARCH.efiBc],
  uefiHttp: [ARCH.httpX64, ARCH.httpX86],
} as const;

export interface Programs {
  bios: string;
  uefi: string;
  /** Null: nothing for HTTP boot, so that the firmware goes on to its PXE entry. */
  uefiHttp: string | null;
}

/**
 * Names below TFTP's root, and below http://RACK:5248/ for HTTP boot. Debian's signed network GRUB cannot fetch by HTTP, so a
 * shim got by HTTP would stop there: the signed chain is told to PXE clients alone.
 */
export function programsOf(chain: UefiBootChain): Programs {
  const bios = 'undionly.kpxe';
  switch (chain) {
    case 'ipxe':
      return { bios, uefi: 'snponly.efi', uefiHttp: 'snponly.efi' };
    case 'signed':
      return { bios, uefi: 'shimx64.efi', uefiHttp: null };
  }
}

/**
 * What the proxy tells a client to boot; null for an architecture that is not served. `boot` is http://IP:5248. iPXE's URL
 * carries the MAC that asked: the rack compares it with the one that it sees on the wire.
 */
export function proxyFileOf(
  client: NetworkBoot,
  boot: string,
  mac: string,
  chain: UefiBootChain = 'ipxe',
): string | null {
  const { bios, uefi, uefiHttp } = programsOf(chain);
  const is = (archs: readonly number[]) => archs.includes(client.arch);
  switch (client.kind) {
    case 'ipxe':
      return `${boot}/boot.ipxe?mac=${mac}`;
    case 'pxe':
      if (is(ARCHS_OF.bios)) return bios;
      return is(ARCHS_OF.uefi) ? uefi : null;
    case 'http':
      return uefiHttp !== null && is(ARCHS_OF.uefiHttp) ? `${boot}/${uefiHttp}` : null;
  }
}
