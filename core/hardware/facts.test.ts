import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bootMac, factsFromInventory } from './facts.ts';
import type { InventoryText } from './inventory.ts';
import { resourcesDocument } from './resources.ts';

/** Recorded by the agent in a QEMU q35 machine with `-m 1537 -smp 1`, one virtio disk (serial SER1, 6 GiB) and an IPMI BMC. */
const recorded: InventoryText = JSON.parse(
  readFileSync(new URL('testdata/qemu-q35-bios.json', import.meta.url), 'utf8'),
);

describe('facts of a recorded machine', () => {
  const facts = factsFromInventory(recorded);

  test('memory is what the machine was given, not what the kernel left', () => {
    expect(facts.memoryMib).toBe(1537);
  });

  test('processor', () => {
    expect(facts.cpuCount).toBe(1);
    expect(facts.cpuModel).toMatch(/Nehalem|i7/);
    expect(facts.virtual).toBe(true);
  });

  test('one disk; the loop device of the root image is none', () => {
    expect(facts.disks).toEqual([
      {
        name: 'vda',
        model: null,
        serial: 'SER1',
        size: 6 * 1024 ** 3,
        blockSize: 512,
        firmwareVersion: null,
        idPath: '/dev/disk/by-id/virtio-SER1',
        tags: expect.arrayContaining([expect.stringMatching(/rotary|ssd/)]),
      },
    ]);
  });

  test('one port with the name the installed system gives it, and its address', () => {
    expect(facts.interfaces).toHaveLength(1);
    expect(facts.interfaces[0]).toMatchObject({
      name: 'enp0s1',
      mac: '52:54:00:00:99:01',
      linkConnected: true,
      addresses: [{ address: expect.stringMatching(/^10\.99\.0\./), prefix: 24 }],
    });
    expect(facts.bootMac).toBe('52:54:00:00:99:01');
  });

  test('hardware info has the 18 keys, Unknown where the firmware is silent', () => {
    expect(Object.keys(facts.hardwareInfo)).toHaveLength(18);
    expect(facts.hardwareInfo.system_vendor).toBe('QEMU');
    expect(facts.hardwareInfo.system_serial).toBe('Unknown');
    expect(facts.warnings).toEqual([]);
  });

  test('the ticket is not in what is stored', () => {
    expect(recorded.cmdline).not.toMatch(/ingot\.ticket=[^*]/);
  });

  test('the resources document has what its readers insist on', () => {
    const document = JSON.parse(JSON.stringify(resourcesDocument(facts, 'x86_64', '6.1.0')));
    expect(document.api_version).toBe('1.0');
    for (const name of ['resources', 'resources_v2', 'api_os', 'resources_system', 'resources_usb_pci']) {
      expect(document.api_extensions).toContain(name);
    }
    expect(document.resources.memory.total).toBe(1537 * 1024 * 1024);
    expect(document.networks.enp0s1.hwaddr).toBe('52:54:00:00:99:01');
  });
});

describe('hostile and broken inventories', () => {
  const empty: InventoryText = { ...recorded, lshwXml: '', lsblk: '', ipAddress: '', ethernet: [], dmi: {} };

  test('memory falls back to the kernel’s total', () => {
    expect(factsFromInventory({ ...empty, meminfo: 'MemTotal:        2031616 kB\n' }).memoryMib).toBe(1984);
  });

  test('an XML with a document type is not read', () => {
    const lshwXml = '<!DOCTYPE x [<!ENTITY a "b">]><node id="memory" class="memory"><size>1</size></node>';
    expect(factsFromInventory({ ...empty, lshwXml }).warnings).toEqual([expect.stringContaining('document type')]);
  });

  test('what is no JSON is named and left out', () => {
    const facts = factsFromInventory({ ...empty, lsblk: 'oops', ipAddress: '{' });
    expect(facts.disks).toEqual([]);
    expect(facts.warnings).toHaveLength(2);
  });

  test('no disk: optical, read-only, tiny, loop, partitions, bcache members', () => {
    const device = { name: 'sdx', kname: 'sdx', type: 'disk', size: 1e10, ro: false, rota: true, serial: 'S' };
    const blockdevices = [
      { ...device, kname: 'sr0', type: 'rom' },
      { ...device, kname: 'sda', ro: true },
      { ...device, kname: 'sdb', size: 4 * 1024 * 1024 },
      { ...device, kname: 'loop0' },
      { ...device, kname: 'sdc1', type: 'part' },
      { ...device, kname: 'sdd', children: [{ kname: 'bcache0' }] },
      { ...device, kname: '../../etc', size: 1e10 },
      { ...device, kname: 'sdaa' },
      { ...device, kname: 'sde' },
    ];
    const { disks } = factsFromInventory({ ...empty, lsblk: JSON.stringify({ blockdevices }) });
    expect(disks.map((disk) => disk.name)).toEqual(['sde', 'sdaa']);
  });

  test('a MAC counts once; malformed ones and OpenBMC’s not at all', () => {
    const [port] = recorded.ethernet;
    if (port === undefined) throw new Error('recorded without port');
    const ethernet = ['52:54:00:AA:BB:CC', '52:54:00:aa:bb:cc', '02:00:00:00:00:02', 'x', ''].map((mac) => ({
      ...port,
      mac,
    }));
    expect(factsFromInventory({ ...empty, ethernet }).interfaces.map(({ mac }) => mac)).toEqual(['52:54:00:aa:bb:cc']);
  });

  test('UUID fillers are none', () => {
    const uuid = (text: string) => factsFromInventory({ ...empty, dmi: { 'system-uuid': text } }).hardwareUuid;
    expect(uuid('00000000-0000-0000-0000-000000000000')).toBeNull();
    expect(uuid('Not Settable')).toBeNull();
    expect(uuid('4C4C4544-0051-3510-8050-B4C04F4A3832')).toBe('4c4c4544-0051-3510-8050-b4c04f4a3832');
  });

  test('BOOTIF in either case, absent or cut', () => {
    expect(bootMac('quiet BOOTIF=01-52-54-00-AB-cd-ef x=y')).toBe('52:54:00:ab:cd:ef');
    expect(bootMac('BOOTIF=01-52-54-00')).toBeNull();
    expect(bootMac('')).toBeNull();
  });
});
