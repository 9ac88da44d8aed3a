/** Raised by hand when the way the tree is made changes without a change of the lists below. */
const REVISION = 2;

/**
 * Tools of the ephemeral system. `linux-image-amd64`, not the cloud kernel: that one has no IPMI, AHCI or common network cards.
 * No boot loaders: they come with the image that is installed and run inside it.
 */
const PACKAGES = [
  // system
  ...'systemd systemd-sysv udev kmod busybox-static netbase ca-certificates nodejs openssh-server'.split(' '),
  ...'iproute2 iputils-ping isc-dhcp-client curl kexec-tools'.split(' '),
  // inventory
  ...'lshw dmidecode ethtool lldpd pciutils usbutils hwdata'.split(' '),
  // BMC
  ...'ipmitool freeipmi-tools freeipmi-ipmidetect'.split(' '),
  // disks
  ...'smartmontools gdisk fdisk parted dosfstools e2fsprogs xfsprogs btrfs-progs mdadm lvm2'.split(' '),
  ...'nvme-cli hdparm sg3-utils bcache-tools cryptsetup-bin efibootmgr'.split(' '),
  // archives
  ...'zstd xz-utils pigz squashfs-tools'.split(' '),
];

const KERNEL_PACKAGES: Partial<Record<string, string>> = { amd64: 'linux-image-amd64', arm64: 'linux-image-arm64' };

/** Never unpacked by dpkg. */
const PATH_EXCLUDES = [
  '/usr/share/man/*',
  '/usr/share/doc/*',
  '/usr/share/locale/*',
  '/usr/share/info/*',
  '/usr/share/lintian/*',
];

/** Below /lib/modules/VERSION/kernel: what no server needs to be inventoried, tested or installed. 3/4 of the modules' size. */
const PRUNED_MODULES = [
  ...'sound net/bluetooth net/mac80211 net/wireless net/nfc net/can net/ceph net/sunrpc net/batman-adv'.split(' '),
  ...'net/rxrpc net/tipc net/dccp net/sctp net/openvswitch net/ieee802154 net/mac802154 net/6lowpan'.split(' '),
  ...'fs/ocfs2 fs/ceph fs/gfs2 fs/smb fs/cifs fs/nfs fs/nfsd fs/afs fs/coda fs/jffs2 fs/ubifs'.split(' '),
  ...'fs/f2fs fs/reiserfs fs/jfs fs/nilfs2 fs/orangefs fs/hfs fs/hfsplus fs/udf fs/ntfs fs/ntfs3'.split(' '),
  ...'gpu media net/wireless net/can net/wwan net/ieee802154 net/arcnet net/hamradio net/plip net/slip'.split(' '),
  ...'bluetooth staging isdn iio infiniband comedi video nfc usb/gadget usb/serial usb/atm mtd'.split(' '),
  ...'w1 accessibility firewire pcmcia parport atm bcma ssb memstick mmc rapidio soundwire'.split(' '),
  ...'thunderbolt leds power extcon counter ntb ipack mcb siox slimbus input/touchscreen'.split(' '),
  ...'input/joystick input/tablet input/misc hid platform/chrome platform/surface auxdisplay uwb'.split(' '),
  ...'arch/x86/kvm fs/dlm lib/test_bpf.ko net/netfilter/ipset net/netfilter/ipvs target block/drbd'.split(' '),
].flatMap((name) => [name, `drivers/${name}`]);

/** Removed from the tree after the packages are in. */
const PRUNED_PATHS = [
  ...'usr/share/man usr/share/doc usr/share/locale usr/share/info usr/share/bash-completion usr/share/zsh'.split(' '),
  ...'usr/share/bug usr/share/lintian usr/share/snmp usr/share/i18n usr/share/initramfs-tools'.split(' '),
  'usr/lib/udev/hwdb.d',
  ...'var/lib/apt/lists var/cache/apt var/cache/debconf var/log usr/include usr/share/node_modules usr/share/nodejs/@types'.split(
    ' ',
  ),
  // What packages want started by default; our target names what it needs.
  ...'default multi-user sysinit sockets timers getty'
    .split(' ')
    .map((name) => `etc/systemd/system/${name}.target.wants`),
  // A second name of usr/share/misc/pci.ids: lshw reads every list it finds, letter by letter, a second each on a slow core.
  'usr/share/hwdata/pci.ids',
  // Names of devices: lspci has its own. Perl beyond perl-base: only maintainer scripts use it.
  ...'usr/lib/udev/hwdb.bin usr/share/perl usr/lib/x86_64-linux-gnu/perl usr/lib/aarch64-linux-gnu/perl'.split(' '),
];

export interface EphemeralRecipe {
  revision: number;
  suite: string;
  architecture: string;
  packages: string[];
  pathExcludes: string[];
  prunedModules: string[];
  prunedPaths: string[];
}

/** Everything the squashfs depends on besides the archive's state. Throws for an architecture without a kernel package. */
export function ephemeralRecipe(suite: string, architecture: string): EphemeralRecipe {
  const kernel = KERNEL_PACKAGES[architecture];
  if (kernel === undefined) throw new Error(`no kernel package known for architecture ${architecture}`);
  return {
    revision: REVISION,
    suite,
    architecture,
    packages: [kernel, ...PACKAGES],
    pathExcludes: PATH_EXCLUDES,
    prunedModules: PRUNED_MODULES,
    prunedPaths: PRUNED_PATHS,
  };
}
