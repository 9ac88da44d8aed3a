/** What an image holds, as looked into after its upload. `null` where a thing could not be looked into. */
export interface ImageContent {
  /** tree: files of a root file system. disk: every byte of a disk, boot loader included. */
  shape: 'tree' | 'disk';
  /** PRETTY_NAME of its os-release. */
  system: string | null;
  /** Versions with a kernel and its initrd in /boot, newest first. Empty: none; null: not known. */
  kernels: string[] | null;
  /** Makes the initrd of a later kernel: initramfs-tools or dracut. */
  initrdMaker: boolean | null;
  cloudInit: boolean | null;
  /** Firmware that a loader of the image can serve: GRUB's packages of a tree, boot code or EFI system partition of a disk. */
  boots: { bios: boolean | null; uefi: boolean | null };
  disk: ImageDisk | null;
}

export interface ImageDisk {
  /** Bytes; a disk must have at least as many. */
  size: number;
  table: 'gpt' | 'mbr' | 'none';
  /** The partition with the root file system. Null: none that can be read, so that nothing can be written into it. */
  root: { number: number; filesystem: string; size: number; last: boolean } | null;
}

const KERNEL = /^(?:\.\/|\/)?boot\/vmlinuz-(.+)$/;
const INITRD = /^(?:\.\/|\/)?boot\/(?:initrd\.img-(.+)|initrd-(.+)|initramfs-(.+)\.img)$/;

export interface TreeListing {
  /** One path of the tree, from its root, with or without a leading `./` or `/`. */
  add(path: string): void;
  content(): Omit<ImageContent, 'system' | 'shape' | 'disk'>;
}

/** Reads a list of paths, one at a time: nothing but what is asked about is kept, however long the list is. */
export function treeListing(): TreeListing {
  const kernels = new Set<string>();
  const initrds = new Set<string>();
  let [cloudInit, initrdMaker, grubInstall, biosModules, efiModules, shim, signed] = Array<boolean>(7).fill(false);
  return {
    add(path) {
      const kernel = KERNEL.exec(path)?.[1];
      if (kernel !== undefined) kernels.add(kernel);
      const initrd = INITRD.exec(path);
      const version = initrd?.[1] ?? initrd?.[2] ?? initrd?.[3];
      if (version !== undefined) initrds.add(version);
      cloudInit ||= /(^|\/)usr\/bin\/cloud-init$/.test(path);
      initrdMaker ||= /(^|\/)usr\/(s?bin\/(update-initramfs|mkinitramfs)|bin\/dracut)$/.test(path);
      grubInstall ||= /(^|\/)usr\/s?bin\/grub2?-install$/.test(path);
      biosModules ||= /(^|\/)usr\/lib\/grub\/i386-pc\/boot\.img$/.test(path);
      efiModules ||= /(^|\/)usr\/lib\/grub\/x86_64-efi\/normal\.mod$/.test(path);
      shim ||= /(^|\/)usr\/lib\/shim\/shimx64\.efi\.signed$/.test(path);
      signed ||= /(^|\/)usr\/lib\/grub\/x86_64-efi-signed\/grubx64\.efi\.signed$/.test(path);
    },
    content: () => ({
      kernels: [...kernels]
        .filter((version) => initrds.has(version))
        .sort((a, b) => b.localeCompare(a, 'en', { numeric: true })),
      initrdMaker: initrdMaker ?? false,
      cloudInit: cloudInit ?? false,
      boots: {
        bios: (grubInstall && biosModules) ?? false,
        uefi: ((shim && signed) || (grubInstall && efiModules)) ?? false,
      },
    }),
  };
}

/** PRETTY_NAME of an os-release file; null when it has none. At most 128 characters. */
export function systemName(osRelease: string): string | null {
  const value = /^PRETTY_NAME=(?:"([^"]*)"|'([^']*)'|(\S+))/m.exec(osRelease);
  return (value?.[1] ?? value?.[2] ?? value?.[3])?.slice(0, 128) ?? null;
}
