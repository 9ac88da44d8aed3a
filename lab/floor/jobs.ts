import type { MachineSpec } from '../machine/spec.ts';

/** What a person would write: a shell script for each job, run as root in the ephemeral system. */

function preamble(http: string): string {
  return `#!/bin/sh
set -eux
# A job that fails must not leave the machine on: nobody would look.
trap 'systemctl poweroff --force' EXIT
say() { curl -sf -X POST --data-binary "@\${2:-/dev/null}" ${http}/posted/$1; }
settled() { systemctl start systemd-udev-trigger.service; udevadm settle --timeout=30; }
`;
}

/** Takes the inventory with the tools Ingot's agent uses, and switches off. */
export function commissionJob(http: string): string {
  return `${preamble(http)}
modprobe -a ipmi_si ipmi_devintf || true
settled
{ lshw -xml; lsblk --json --bytes -O; ip -j -d address; dmidecode; lspci -vnn; ipmitool mc info; ipmitool lan print 1; } > /tmp/inventory || true
say results /tmp/inventory
`;
}

/** The deployment of lab.md §5: GPT for both firmwares, the image streamed, GRUB, NoCloud; then off. */
export function deployJob(http: string, spec: MachineSpec, image: string, publicKey: string): string {
  const grub =
    spec.firmware === 'bios'
      ? 'chroot $t grub-install --target=i386-pc $disk'
      : `modprobe efivarfs || true
chroot $t grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --uefi-secure-boot --no-nvram
chroot $t grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --uefi-secure-boot --no-nvram --removable`;
  return `${preamble(http)}
settled
disk=/dev/$(lsblk -dno NAME,SERIAL | awk '$2 == "${spec.diskSerial}" {print $1}')
t=/mnt/t
sgdisk -Zo -n1:0:+1M -t1:EF02 -n2:0:+256M -t2:EF00 -n3:0:0 -t3:8304 $disk
settled
say step-partition
mkfs.vfat -F32 \${disk}2
mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1,nodiscard \${disk}3
say step-mkfs
mkdir -p $t; mount \${disk}3 $t
curl -sf ${http}/${image} | zstd -dc | tar -xpf - --xattrs --numeric-owner -C $t
say step-image
mkdir -p $t/boot/efi; mount \${disk}2 $t/boot/efi
for p in dev proc sys run; do mount --rbind /$p $t/$p; mount --make-rslave $t/$p; done
printf 'UUID=%s / ext4 defaults 0 1\\nUUID=%s /boot/efi vfat umask=0077 0 1\\n' $(blkid -s UUID -o value \${disk}3) $(blkid -s UUID -o value \${disk}2) > $t/etc/fstab
${grub}
say step-grub-install
printf 'GRUB_CMDLINE_LINUX_DEFAULT=""\\nGRUB_CMDLINE_LINUX="console=ttyS0,115200 loglevel=4"\\nGRUB_TIMEOUT=0\\nGRUB_TERMINAL="console serial"\\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\\n' > $t/etc/default/grub
chroot $t update-grub
say step-update-grub
mkdir -p $t/var/lib/cloud/seed/nocloud
printf 'datasource_list: [NoCloud, None]\\n' > $t/etc/cloud/cloud.cfg.d/90_seed.cfg
printf 'instance-id: floor-1\\nlocal-hostname: floor\\n' > $t/var/lib/cloud/seed/nocloud/meta-data
printf '#cloud-config\\nlocale: false\\nssh_genkeytypes: [ed25519]\\nssh_authorized_keys: ["%s"]\\n' '${publicKey}' > $t/var/lib/cloud/seed/nocloud/user-data
mkdir -p $t/etc/netplan
printf 'network: {version: 2, ethernets: {all: {match: {name: "e*"}, dhcp4: true}}}\\n' > $t/etc/netplan/50-lab.yaml
chmod 600 $t/etc/netplan/50-lab.yaml
for p in dev proc sys run; do umount -R -l $t/$p; done
umount -R $t
sync
say results
`;
}
