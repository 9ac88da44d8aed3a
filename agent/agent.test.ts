import type { InstallPlan, ScriptItem } from '@ingot/contract/agent.ts';
import { describe, expect, test } from 'vitest';
import { complexPassword, parseLanPrint, plainPassword, userSlot } from './bmc.ts';
import { parseCmdline } from './cmdline.ts';
import { scriptArguments } from './custom-script.ts';
import { bootOrder, grubConfig, parseEfiBoot } from './install/boot-loader.ts';
import { partitionArguments } from './install/partition.ts';
import { partitionPath } from './install/target-disk.ts';
import { predictableNames } from './inventory.ts';
import { cardsFromLshw } from './network-cards.ts';
import { scriptBatches } from './script-order.ts';
import { scriptOutcome, statusOfResult } from './script-outcome.ts';
import { unconfiguredPorts } from './scripts/dhcp-unconfigured-ifaces.ts';
import { cappedText, runTool } from './tool.ts';

describe('kernel command line', () => {
  const pin = 'ab'.repeat(32);
  const line = `console=ttyS0 ingot.rack=http://10.0.0.1:5248 ingot.agent=https://10.0.0.1:5249 ingot.pin=${pin} ingot.ticket=e30.c2ln BOOTIF=01-52-54-00-00-00-01\n`;

  test('what the rack wrote', () => {
    expect(parseCmdline(line)).toEqual({
      ok: true,
      boot: { rack: 'http://10.0.0.1:5248', agent: 'https://10.0.0.1:5249', pin, ticket: 'e30.c2ln' },
    });
  });

  test('what is missing or malformed is named', () => {
    expect(parseCmdline(line.replace('https', 'http').replace(/ingot.ticket=\S+/, ''))).toEqual({
      ok: false,
      problems: ['ingot.agent is malformed', 'ingot.ticket is missing'],
    });
  });
});

describe('BMC', () => {
  test('address of lan print; unset and link-local ones do not count', () => {
    const text =
      'IP Address Source       : Static Address\nIP Address              : 10.9.0.2\nMAC Address             : 52:54:00:00:00:0A\n';
    expect(parseLanPrint(text)).toEqual({ address: '10.9.0.2', mac: '52:54:00:00:00:0a' });
    expect(parseLanPrint(text.replace('10.9.0.2', '0.0.0.0'))).toBeNull();
    expect(parseLanPrint(text.replace('10.9.0.2', '169.254.1.1'))).toBeNull();
  });

  test('slot of our user, else the first empty one, never the first', () => {
    const list =
      '1,,true,false,true,USER\n2,admin,true,false,true,ADMINISTRATOR\n3,,true,true,true,X\n4,maas,true,true,true,X\n';
    expect(userSlot(list, 'maas')).toBe('4');
    expect(userSlot(list.replace('maas', 'other'), 'maas')).toBe('3');
    expect(userSlot('1,,x\n2,admin,x\n', 'maas')).toBeNull();
  });

  test('passwords fit the boards that are strict', () => {
    expect(plainPassword(15)).toMatch(/^[A-Za-z0-9]{15}$/);
    for (let round = 0; round < 200; round += 1) {
      const password = complexPassword(15);
      expect(password).toHaveLength(15);
      for (const kind of [/[A-Z].*[A-Z]/, /[a-z].*[a-z]/, /\d.*\d/, /[^A-Za-z0-9]/]) expect(password).toMatch(kind);
      expect(password).not.toMatch(/(.)\1/);
    }
  });
});

describe('scripts', () => {
  const item = (name: string, parallel: number, hardwareType = 0): ScriptItem => ({
    resultId: 1,
    name,
    builtin: true,
    text: null,
    timeoutSeconds: 0,
    parallel,
    hardwareType,
    parameters: {},
  });
  const names = (scripts: ScriptItem[]) => {
    const { early, late } = scriptBatches(scripts);
    return [early, late].map((batches) => batches.map((batch) => batch.map(({ name }) => name)));
  };

  test('serial by hardware and name, then instances, then the rest at once', () => {
    const scripts = [
      item('z', 2),
      item('b', 0),
      item('a', 0),
      item('cpu', 0, 1),
      item('smart', 1, 3),
      item('smart', 1, 3),
      item('y', 2),
    ];
    expect(names(scripts)).toEqual([[], [['cpu'], ['a'], ['b'], ['smart', 'smart'], ['y', 'z']]]);
  });

  test('the BMC’s password changes after all else: an aborted machine is switched off with the old one', () => {
    const scripts = [item('30-maas-01-bmc-config', 0), item('60-own', 0), item('maas-get-fruid-api-data', 2)];
    expect(names(scripts)[1]?.at(-1)).toEqual(['30-maas-01-bmc-config']);
  });

  test('a person’s script that may change what the inventory finds runs before it', () => {
    const scripts = [
      item('maas-get-fruid-api-data', 2),
      item('60-own', 0),
      item('45-raid', 0),
      item('20-maas-01-install-lldpd', 0),
    ];
    expect(names(scripts)).toEqual([
      [['20-maas-01-install-lldpd'], ['45-raid']],
      [['60-own'], ['maas-get-fruid-api-data']],
    ]);
  });

  test('status of the YAML wins over the exit status, but not over a time-out', () => {
    const run = {
      exitStatus: 1,
      timedOut: false,
      stdout: 'o',
      stderr: 'e',
      combined: 'oe',
      seconds: 1,
      result: 'status: degraded\n',
    };
    expect(scriptOutcome(run).status).toBe('degraded');
    expect(scriptOutcome({ ...run, timedOut: true }).status).toBe('timedout');
    expect(scriptOutcome({ ...run, result: '' }).status).toBe('failed');
    expect(statusOfResult('status: running')).toBeNull();
    expect(statusOfResult('{')).toBeNull();
  });

  test('outputs are at most 1 MiB and keep both ends', () => {
    const long = `HEAD${'x'.repeat(3 * 1024 * 1024)}TAIL`;
    const run = { exitStatus: 0, timedOut: false, stdout: long, stderr: '', combined: long, seconds: 1, result: '' };
    const output = Buffer.from(scriptOutcome(run).output, 'base64');
    expect(output.length).toBeLessThanOrEqual(1024 * 1024);
    expect(output.toString().startsWith('HEAD')).toBe(true);
    expect(output.toString().endsWith('TAIL')).toBe(true);
  });

  test('parameters become arguments', () => {
    const storage = { type: 'storage', value: { path: '/dev/vda', serial: 'S' } };
    expect(scriptArguments({ storage, runtime: 5, quiet: { value: 'yes', argument_format: '-q {input}' } })).toEqual([
      '--storage=/dev/vda',
      '--runtime=5',
      '-q',
      'yes',
    ]);
  });

  test('ports that still need an address', () => {
    const links = [
      { ifname: 'eth0', addr_info: [{ family: 'inet' }] },
      { ifname: 'eth1', addr_info: [{ family: 'inet6' }] },
      { ifname: 'lo', addr_info: [] },
    ];
    expect(unconfiguredPorts(links, new Set(['eth0', 'eth1']))).toEqual(['eth1']);
  });
});

describe('inventory', () => {
  test('names of the installed system', () => {
    const told = [
      'PORT=eth0\nID_NET_NAME_PATH=enp0s2\nID_NET_NAME_SLOT=ens2\n',
      'PORT=eth1\nID_NET_NAME_PATH=enp0s2f1npf0vf123\n',
      'PORT=eth2\n',
    ];
    expect([...predictableNames(told.join(''))]).toEqual([['eth0', 'ens2']]);
  });

  test('cards by their ports: a virtio port has the names of the PCI device around it, and text is decoded', () => {
    const xml = `<list><node id="core" class="bus"><vendor>Board</vendor>
      <node id="network" claimed="true" class="network" handle="PCI:0000:00:02.0">
        <product>Virtio network device</product><vendor>Red Hat, Inc.</vendor>
        <node id="virtio0" class="network"><logicalname>eth0</logicalname>
          <configuration><setting id="driver" value="virtio_net" /></configuration></node></node>
      <node id="network:1" class="network"><product>A &amp; B</product><vendor>Intel</vendor>
        <logicalname>eth1</logicalname><capacity units="bit/s">10000000000</capacity>
        <configuration><setting id="firmware" value="0x8000, 1.2" /></configuration></node>
      <node id="network:2" class="network"><logicalname>eth2</logicalname></node></node></list>`;
    expect(Object.fromEntries(cardsFromLshw(xml))).toEqual({
      eth0: { vendor: 'Red Hat, Inc.', product: 'Virtio network device', firmware: '', maxSpeedMbps: 0 },
      eth1: { vendor: 'Intel', product: 'A & B', firmware: '0x8000, 1.2', maxSpeedMbps: 10_000 },
      eth2: { vendor: '', product: '', firmware: '', maxSpeedMbps: 0 },
    });
    expect(cardsFromLshw('')).toEqual(new Map());
    expect(cardsFromLshw('</node></node><node class="network"><logicalname>x')).toEqual(new Map());
  });
});

describe('installation', () => {
  const MIB = 1024 * 1024;
  const plan: InstallPlan = {
    firmware: 'bios',
    hostname: 'h',
    disk: { name: 'vda', serial: null, idPath: null, size: 8192 * MIB },
    partitions: [
      {
        number: 1,
        typeCode: 'EF02',
        start: 4 * MIB,
        size: MIB,
        filesystem: 'none',
        mountPoint: null,
        uuid: 'U1',
        filesystemUuid: null,
        label: null,
      },
      {
        number: 2,
        typeCode: '8304',
        start: 5 * MIB,
        size: 8184 * MIB,
        filesystem: 'ext4',
        mountPoint: '/',
        uuid: 'U2',
        filesystemUuid: 'F2',
        label: 'root',
      },
    ],
    image: { path: '/blobs/sha256/x', sha256: 'x', size: 1, format: 'tar.zst' },
    files: [],
    kernelOptions: '',
  };

  test('exact sectors on 512-byte and 4-KiB disks', () => {
    expect(partitionArguments(plan, '/dev/vda', 512)).toContain('--new=2:10240:16771071');
    expect(partitionArguments(plan, '/dev/vda', 4096)).toContain('--new=2:1280:2096383');
    expect(partitionPath('/dev/vda', 2)).toBe('/dev/vda2');
    expect(partitionPath('/dev/nvme0n1', 2)).toBe('/dev/nvme0n1p2');
  });

  test('grub.cfg: newest kernel first, serial console only when the kernel has one', () => {
    const kernels = [{ kernel: 'vmlinuz-6.1', initrd: 'initrd.img-6.1' }];
    const plain = grubConfig(kernels, 'UUID-1', '');
    expect(plain).toContain('  linux /boot/vmlinuz-6.1 root=UUID=UUID-1 ro\n');
    expect(plain).not.toContain('serial');
    expect(grubConfig(kernels, 'U', 'console=ttyS1,57600')).toContain('serial --unit=1 --speed=57600\n');
  });

  test('the entry booted from stays first, the disk comes next', () => {
    const boot = parseEfiBoot(
      'BootCurrent: 0003\nTimeout: 0 seconds\nBootOrder: 0007,0000,0003,0001\nBoot0000* UiApp\nBoot0001* UEFI Misc Device\tPciRoot(0x0)\nBoot0003* UEFI PXEv4 (MAC:525400000001)\tPciRoot(0x0)/Pci\nBoot0007* debian\tHD(1,GPT)/File(\\EFI\\debian\\shimx64.efi)\n',
    );
    expect(boot.entries.get('debian')).toEqual(['0007']);
    expect(bootOrder(boot, 'debian')).toEqual(['0003', '0007', '0000', '0001']);
  });
});

describe('tools', () => {
  test('a program that does not end is ended with its children', async () => {
    const run = await runTool('sh', ['-c', 'sleep 30 & sleep 30'], { timeoutSeconds: 0.2 });
    expect(run).toMatchObject({ exitStatus: 124, timedOut: true });
    expect(run.seconds).toBeLessThan(5);
  });

  test('a missing program is an answer, not a crash', async () => {
    expect((await runTool('/no/such/program', [])).exitStatus).toBe(127);
  });

  test('short text is untouched', () => {
    const text = cappedText(100);
    for (const part of ['a', 'b', 'c']) text.add(Buffer.from(part.repeat(30)));
    expect(text.text()).toBe('a'.repeat(30) + 'b'.repeat(30) + 'c'.repeat(30));
  });
});
