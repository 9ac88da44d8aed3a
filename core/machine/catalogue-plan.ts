import type { CatalogueEntry } from './catalogue.ts';

/** What is said of an image and a machine before a deployment touches anything; refusals stop it, warnings do not. */
export const PLAN = {
  'image.no_kernel': {
    title: 'Image without kernel',
    message: 'Image {image} has no kernel with an initrd in /boot.',
    fix: 'Install a kernel package and initramfs-tools in the image (linux-image-amd64 in Debian) and upload it again.',
    http: 400,
    kind: 'refusal',
  },
  'image.no_loader': {
    title: 'Image does not boot on this firmware',
    message: 'Image {image} has no boot loader for {firmware}.',
    fix: 'Add one and upload it again: {packages}.',
    http: 400,
    kind: 'refusal',
  },
  'image.no_cloud_init': {
    title: 'Image without cloud-init',
    means: 'Without it the system would take neither keys nor user data, and never say that it is up.',
    message: 'Image {image} has no cloud-init.',
    fix: 'Install cloud-init in the image and upload it again.',
    http: 400,
    kind: 'refusal',
  },
  'image.no_root': {
    title: 'Root file system not found in the disk image',
    means:
      'cloud-init could not be told where its metadata is: no partition with ext4, XFS or Btrfs and a system in it.',
    message: 'Disk image {image} has no partition with a root file system that can be written to.',
    fix: 'Use an image with the root on a partition of its own (ext4, XFS or Btrfs, no LVM, no encryption).',
    http: 400,
    kind: 'refusal',
  },
  'image.no_initrd_maker': {
    title: 'Image cannot make initrds',
    message: 'Image {image} has neither initramfs-tools nor dracut: a later kernel will have no initrd.',
    fix: 'Install initramfs-tools in the image if its owner will update the kernel.',
    http: 400,
    kind: 'warning',
  },
  'image.not_inspected': {
    title: 'Image not looked into',
    message: 'What image {image} holds is not known: {why}.',
    fix: 'Nothing is to be done if you know that it boots and has cloud-init.',
    http: 400,
    kind: 'warning',
  },
  'plan.power_by_hand': {
    title: 'Machine switched by hand',
    message: '{machine} has no BMC that is known: somebody must switch it on when it is asked for.',
    fix: 'Set its power type and parameters if it has a BMC.',
    http: 400,
    kind: 'warning',
  },
  'plan.firmware_unknown': {
    title: 'Boot mode not known',
    message: 'Whether {machine} boots by BIOS or UEFI was never seen.',
    fix: 'Commission it again; until then the plan supposes BIOS, and the agent goes by what it finds.',
    http: 400,
    kind: 'warning',
  },
} as const satisfies Record<string, CatalogueEntry>;
