import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cloudInitFiles } from './cloud-init-files.ts';
import { flatLayout } from './flat-layout.ts';
import { installPlan } from './install-plan.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describe('flat layout', () => {
  test('BIOS: GRUB’s megabyte at 4 MiB, then the root', () => {
    const layout = flatLayout(8 * GIB, 'bios');
    expect(layout.ok && layout.partitions.map(({ number, start, size }) => [number, start / MIB, size / MIB])).toEqual([
      [1, 4, 1],
      [2, 5, 8184],
    ]);
  });

  test('UEFI: 512 MiB system partition at 4 MiB, then the root', () => {
    const layout = flatLayout(8 * GIB, 'uefi');
    expect(layout.ok && layout.partitions.map(({ number, start, size }) => [number, start / MIB, size / MIB])).toEqual([
      [1, 4, 512],
      [2, 516, 7672],
    ]);
  });

  test('a disk without room for a 3 GiB root is refused with the numbers', () => {
    expect(flatLayout(3 * GIB, 'bios')).toMatchObject({ ok: false, code: 'install.disk_too_small' });
  });

  test('partitions never overlap, are aligned in size, and leave the last MiB to the second GPT', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4 * GIB, max: 2 ** 46 }), fc.constantFrom('bios', 'uefi'), (size, firmware) => {
        const layout = flatLayout(size, firmware);
        if (!layout.ok) throw new Error(layout.message);
        let end = 4 * MIB;
        for (const partition of layout.partitions) {
          expect(partition.start).toBe(end);
          end = partition.start + partition.size;
        }
        expect(end).toBeLessThanOrEqual(size - MIB);
        expect((layout.partitions[1]?.size ?? 0) % (4 * MIB)).toBe(0);
      }),
    );
  });
});

describe('install plan', () => {
  const layout = flatLayout(8 * GIB, 'uefi');
  if (!layout.ok) throw new Error(layout.message);
  let counter = 0;
  const plan = installPlan({
    firmware: 'uefi',
    hostname: 'node-1',
    disk: { name: 'vda', serial: 'S', idPath: null, size: 8 * GIB },
    partitions: layout.partitions,
    image: { sha256: 'ab'.repeat(32), size: 1, format: 'tar.zst' },
    files: [{ path: '/x', mode: 0o600, content: '' }],
    kernelOptions: '',
    newUuid: () => `0000000${++counter}-1111-4222-8333-444444444444`,
  });

  test('mounts by the identities the file systems get, root first', () => {
    const fstab = plan.files.find((file) => file.path === '/etc/fstab')?.content;
    expect(fstab).toBe(
      'UUID=00000004-1111-4222-8333-444444444444 / ext4 errors=remount-ro 0 1\nUUID=0000-0002 /boot/efi vfat umask=0077 0 2\n',
    );
    expect(plan.partitions.map(({ filesystemUuid }) => filesystemUuid)).toEqual([
      '0000-0002',
      '00000004-1111-4222-8333-444444444444',
    ]);
  });

  test('a disk image mounts what it brought: no partitions of ours, no fstab', () => {
    const disk = { size: GIB, table: 'gpt' as const, root: { number: 1, filesystem: 'ext4' } };
    const whole = installPlan({
      ...{ firmware: 'bios', hostname: 'node-1', kernelOptions: '', newUuid: () => '' },
      disk: { name: 'vda', serial: 'S', idPath: null, size: 8 * GIB },
      partitions: [],
      image: { sha256: 'ab'.repeat(32), size: 1, format: 'raw.zst', disk },
      files: [{ path: '/x', mode: 0o600, content: '' }],
    });
    expect(whole.files.map(({ path }) => path)).toEqual(['/etc/hostname', '/x']);
    expect(whole.image).toMatchObject({ format: 'raw.zst', disk });
  });

  test('the image’s path is the rack’s', () => {
    expect(plan.image.path).toBe(`/blobs/sha256/${'ab'.repeat(32)}`);
  });

  test('no reporter has a level: it kills cloud-init 22.4 (TypeError); ds-identify finds its line', () => {
    const input = {
      metadataUrl: 'http://r/',
      statusUrl: 'http://s/',
      consumerKey: 'c',
      tokenKey: 't',
      tokenSecret: 's',
    };
    const files = cloudInitFiles({ ...input, network: { version: 2 } });
    expect(files.every((file) => file.mode === 0o600)).toBe(true);
    expect(files[0]?.content.split('\n')).toContain('datasource_list: [ MAAS ]');
    const [source, ...others] = files.filter((file) => file.onlyWith === undefined).map((file) => file.content);
    expect(source).toBe(
      'datasource_list: [ MAAS ]\ndatasource: {"MAAS":{"metadata_url":"http://r/","consumer_key":"c","token_key":"t","token_secret":"s"}}\n',
    );
    expect(Object.assign({}, ...others.map((text) => JSON.parse(text)))).toEqual({
      reporting: {
        maas: { type: 'webhook', endpoint: 'http://s/', consumer_key: 'c', token_key: 't', token_secret: 's' },
      },
      network: { version: 2 },
    });
    const netplan = files.filter((file) => file.onlyWith === '/usr/sbin/netplan');
    expect(netplan.map(({ path, content }) => [path, JSON.parse(content)])).toEqual([
      ['/etc/cloud/cloud.cfg.d/50_network.cfg', { network: { config: 'disabled' } }],
      ['/etc/netplan/50-cloud-init.yaml', { network: { version: 2 } }],
    ]);
  });
});
