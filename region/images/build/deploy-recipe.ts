const REVISION = 1;

/** cloud: small, for virtual machines. generic: drivers for real hardware (AHCI, RAID and network cards). */
export type DeployKernel = 'cloud' | 'generic';

const PACKAGES = [
  ...'systemd systemd-sysv systemd-resolved libpam-systemd udev dbus kmod initramfs-tools zstd'.split(' '),
  ...'cloud-init cloud-guest-utils netplan.io iproute2 iputils-ping openssh-server sudo ca-certificates'.split(' '),
  ...'grub-common grub2-common grub-pc-bin efibootmgr e2fsprogs dosfstools gdisk fdisk parted'.split(' '),
  ...'curl less nano procps'.split(' '),
];

const SIGNED_LOADERS: Partial<Record<string, string[]>> = {
  amd64: ['grub-efi-amd64-bin', 'grub-efi-amd64-signed', 'shim-signed'],
};

const PATH_EXCLUDES = [
  ...'/usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/lintian/* /usr/share/locale/*'.split(' '),
];

/** Keeps licences, which must travel with the programs. */
const PATH_INCLUDES = ['/usr/share/doc/*/copyright'];

export interface DeployRecipe {
  revision: number;
  suite: string;
  architecture: string;
  packages: string[];
  pathExcludes: string[];
  pathIncludes: string[];
}

/** Everything a deployment image depends on besides the archive's state. */
export function deployRecipe(suite: string, architecture: string, kernel: DeployKernel): DeployRecipe {
  const loaders = SIGNED_LOADERS[architecture];
  if (loaders === undefined) throw new Error(`no boot loader packages known for architecture ${architecture}`);
  const kernelPackage = kernel === 'cloud' ? `linux-image-cloud-${architecture}` : `linux-image-${architecture}`;
  return {
    revision: REVISION,
    suite,
    architecture,
    packages: [kernelPackage, ...loaders, ...PACKAGES],
    pathExcludes: PATH_EXCLUDES,
    pathIncludes: PATH_INCLUDES,
  };
}
