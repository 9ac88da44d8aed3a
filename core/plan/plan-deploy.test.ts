import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ImageContent, systemName, treeListing } from './image-content.ts';
import { type DeployPlanInput, type PlannedImage, planDeploy } from './plan-deploy.ts';

const GIB = 2 ** 30;
const whole: ImageContent = {
  ...{ shape: 'tree', system: 'Debian 12', kernels: ['6.1'], initrdMaker: true, cloudInit: true, disk: null },
  boots: { bios: true, uefi: true },
};
const root = { number: 2, filesystem: 'ext4', size: GIB, last: true };
const wholeDisk: ImageContent = {
  ...whole,
  shape: 'disk',
  kernels: null,
  disk: { size: 2 * GIB, table: 'gpt', root },
};

interface Over {
  machine?: Partial<DeployPlanInput['machine']>;
  image?: Partial<PlannedImage> | null;
  content?: Partial<ImageContent>;
  diskSize?: number;
}

function input({ machine, image, content, diskSize = 8 * GIB }: Over = {}): DeployPlanInput {
  const format = image?.format ?? 'tar.zst';
  const seen = { ...(format === 'raw.zst' ? wholeDisk : whole), ...content };
  return {
    machine: {
      ...{ hostname: 'box', architecture: 'amd64/generic', firmware: 'uefi', powerType: 'ipmi' },
      ...{ powerState: 'off', ephemeral: false, agentWaits: false, kexec: false, ...machine },
    },
    image:
      image === null ? null : { name: 'custom/x', arch: 'amd64', size: 300 * 2 ** 20, content: seen, format, ...image },
    disks: [
      { name: 'sda', model: 'Fast', serial: 'S1', size: diskSize },
      { name: 'sdb', model: null, serial: null, size: 4 * 2 ** 40 },
    ],
    interfaces: [
      {
        ...{ name: 'ens3', mac: '52:54:00:00:00:01', boot: true },
        links: [{ mode: 'auto', subnet: '10.0.0.0/24', address: null }],
      },
      { name: 'ens4', mac: '52:54:00:00:00:02', boot: false, links: [] },
    ],
  };
}

const codes = (over?: Over) => planDeploy(input(over)).findings.map(({ severity, code }) => `${severity} ${code}`);
const texts = (over?: Over) => planDeploy(input(over)).steps.map(({ area, text }) => `${area}: ${text}`);

describe('steps', () => {
  test('a tree of files on UEFI', () => {
    expect(texts()).toEqual([
      'power: Its BMC (ipmi) switches it on, to boot from the network.',
      'boot: The ephemeral system starts from the network and runs in memory.',
      'disk: Everything on disk sda (8 GiB, Fast, serial S1) is lost.',
      'disk: Partition 1 of sda: 512 MiB, vfat on /boot/efi.',
      'disk: Partition 2 of sda: 7.5 GiB, ext4 on /.',
      'disk: custom/x (Debian 12) is unpacked there: 300 MiB are fetched from the rack.',
      'disk: Disk sdb (4 TiB) is left as it is.',
      'network: ens3 (52:54:00:00:00:01, boots by it): an address chosen at deployment in 10.0.0.0/24.',
      'network: ens4 (52:54:00:00:00:02): not configured.',
      'system: cloud-init is told its metadata, the network and box as its name.',
      'system: shim and GRUB are put on the EFI system partition; the firmware gets a boot entry for the disk.',
      'system: The machine starts again from its disk.',
    ]);
  });

  test('an agent that waits is not booted, and kexec needs no second start', () => {
    const said = (machine: Over['machine']) => texts({ machine }).filter((text) => /^(power|boot):|kexec/.test(text));
    const on = { powerState: 'on', agentWaits: true, kexec: true };
    expect(said(on)).toEqual([
      'power: It is on and its agent waits for work (fast track): it is not booted, unless the agent does not answer.',
      "system: The agent starts the disk's kernel by kexec, without a reset; where that cannot be loaded, the machine starts again from its disk.",
    ]);
    expect(said({ ...on, ephemeral: true })).toEqual([
      'power: Its BMC (ipmi) switches it off and on again, to boot from the network.',
      'boot: The ephemeral system starts from the network and runs in memory.',
    ]);
  });

  test('a disk image: its own partitions, the last of which grows', () => {
    expect(texts({ image: { format: 'raw.zst' } }).filter((text) => text.startsWith('disk'))).toEqual([
      'disk: Everything on disk sda (8 GiB, Fast, serial S1) is lost.',
      'disk: Disk image custom/x (Debian 12) is written to sda: 2 GiB, its own partitions.',
      'disk: The second copy of the partition table moves to the end of sda.',
      'disk: Partition 2 (ext4) grows to the end of the disk.',
      'disk: Disk sdb (4 TiB) is left as it is.',
    ]);
  });

  test('a system that runs from memory leaves every disk as it is', () => {
    const disks = texts({ machine: { ephemeral: true } }).filter((text) => text.startsWith('disk'));
    expect(disks).toHaveLength(2);
    expect(disks.every((text) => text.includes('left as it is'))).toBe(true);
  });
});

describe('findings', () => {
  test('nothing speaks against what fits, nor against an image that Ingot built', () => {
    expect(codes()).toEqual([]);
    expect(codes({ image: { format: 'raw.zst' } })).toEqual([]);
    expect(planDeploy({ ...input(), image: { ...input().image, content: null } as PlannedImage }).findings).toEqual([]);
  });

  test.each<[string, string, Over]>([
    ['refusal', 'image.no_kernel', { content: { kernels: [] } }],
    ['refusal', 'image.no_loader', { content: { boots: { bios: true, uefi: false } } }],
    ['refusal', 'image.no_cloud_init', { content: { cloudInit: false } }],
    [
      'refusal',
      'image.no_root',
      { image: { format: 'raw.zst' }, content: { disk: { size: GIB, table: 'gpt', root: null } } },
    ],
    ['warning', 'image.no_initrd_maker', { content: { initrdMaker: false } }],
    ['warning', 'image.not_inspected', { image: { format: 'raw.zst' }, content: { cloudInit: null } }],
    ['refusal', 'image.arch', { machine: { architecture: 'arm64/generic' } }],
    ['refusal', 'install.disk_too_small', { diskSize: 2 * GIB }],
    ['refusal', 'install.disk_too_small', { image: { format: 'raw.zst' }, diskSize: 2 * GIB - 512 }],
    ['warning', 'plan.power_by_hand', { machine: { powerType: 'manual' } }],
    ['warning', 'plan.firmware_unknown', { machine: { firmware: 'unknown' } }],
  ])('%s %s', (severity, code, over) => {
    expect(codes(over)).toEqual([`${severity} ${code}`]);
  });

  test('the firmware decides which loader is missed', () => {
    const boots = { bios: false, uefi: true };
    expect(codes({ content: { boots }, machine: { firmware: 'uefi' } })).toEqual([]);
    const [found] = planDeploy(input({ content: { boots }, machine: { firmware: 'bios' } })).findings;
    expect(found).toMatchObject({ code: 'image.no_loader', message: 'Image custom/x has no boot loader for BIOS.' });
    expect(found?.fix).toContain('grub-pc-bin');
  });

  test('refusals come first, every finding has a way out, whatever the machine', () => {
    const bool = fc.constantFrom(true, false, null);
    fc.assert(
      fc.property(
        bool,
        bool,
        bool,
        bool,
        fc.constantFrom('raw.zst', 'tgz'),
        fc.integer({ min: 0, max: 2 ** 43 }),
        (...a) => {
          const [cloudInit, initrdMaker, bios, uefi, format, diskSize] = a;
          const content = { cloudInit, initrdMaker, boots: { bios, uefi } };
          const { findings, steps } = planDeploy(input({ content, diskSize, image: { format } }));
          const order = findings.map(({ severity }) => severity);
          expect(order).toEqual([...order].sort());
          expect(
            findings.every(({ message, fix }) => message !== '' && fix !== '' && !/[{}]/.test(message + fix)),
          ).toBe(true);
          expect(steps.length).toBeGreaterThan(3);
        },
      ),
    );
  });
});

describe('a list of files', () => {
  test('kernels count only with their initrd, newest first; paths may begin in three ways', () => {
    const listing = treeListing();
    for (const path of ['./boot/vmlinuz-6.9', 'boot/vmlinuz-6.10', '/boot/initrd.img-6.9', 'boot/initrd.img-6.10']) {
      listing.add(path);
    }
    listing.add('boot/vmlinuz-5');
    expect(listing.content()).toEqual({
      ...{ kernels: ['6.10', '6.9'], initrdMaker: false, cloudInit: false },
      boots: { bios: false, uefi: false },
    });
  });

  test('the name of the system', () => {
    expect(systemName('ID=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe('Debian GNU/Linux 12 (bookworm)');
    expect(systemName('ID=x\n')).toBeNull();
  });
});
