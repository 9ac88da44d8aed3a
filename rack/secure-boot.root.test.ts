import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleRack } from './testing/bundle-rack.ts';
import { startFakeRegion } from './testing/fake-region.ts';
import { createTestSegment, type TestSegment } from './testing/segment.ts';
import { snapshotOf } from './testing/snapshot.ts';

/**
 * OVMF that enforces Secure Boot with Microsoft's keys, against the rack: unsigned iPXE is refused, and shim, Debian's GRUB and
 * Debian's kernel come up to the first words of our initramfs. Kernel and initrd are those of the ephemeral image.
 */

const IMAGES = join(process.env.INGOT_CACHE ?? '/var/cache/ingot', 'images/ephemeral');
const files = { kernel: join(IMAGES, 'vmlinuz'), initrd: join(IMAGES, 'initrd') };
const isBuilt = existsSync(files.kernel) && existsSync(files.initrd);

const run = promisify(execFile);
const tap = 'tap1';

async function blobOf(file: string): Promise<{ sha256: string; size: number; bytes: Buffer }> {
  const bytes = await readFile(file);
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, bytes };
}

describe.skipIf(!isBuilt)('Secure Boot enforced (needs the ephemeral image: ingot images build ephemeral)', () => {
  let segment: TestSegment;
  let dir: string;
  let region: ReturnType<typeof startFakeRegion>;
  let snapshot: ReturnType<typeof snapshotOf>;
  let rack: ChildProcess;
  let machine: ChildProcess | null = null;

  beforeAll(async () => {
    segment = await createTestSegment('10.83.0.1/24');
    dir = await mkdtemp(join(tmpdir(), 'secure-boot-'));
    const ip = async (line: string) => await run('ip', ['-n', segment.machine, ...line.split(' ')]);
    await ip('link add br0 type bridge stp_state 0 forward_delay 0');
    await ip(`tuntap add ${tap} mode tap`);
    await ip(`link set ${tap} master br0 up`);
    await ip('link set eth0 master br0');
    await ip('link set br0 up');

    const [kernel, initrd] = [await blobOf(files.kernel), await blobOf(files.initrd)];
    const root = randomBytes(1000);
    const squashfs = { sha256: createHash('sha256').update(root).digest('hex'), size: root.length };
    const blobs = new Map([kernel, initrd].map(({ sha256, bytes }) => [sha256, bytes]));
    snapshot = {
      ...snapshotOf('10.83.0', squashfs),
      ephemeral: [{ architecture: 'amd64', kernel: sumOf(kernel), initrd: sumOf(initrd), squashfs }],
      kernelOptions: 'console=ttyS0,115200',
    };
    await bundleRack(join(dir, 'rack.mjs'));
    region = startFakeRegion(join(dir, 'rack.sock'), snapshot, blobs.set(squashfs.sha256, root));
    await region.listening;
    const [command = '', ...args] = [
      ...segment.inRack,
      ...[process.execPath, join(dir, 'rack.mjs'), '--state', dir, '--region', `unix:${join(dir, 'rack.sock')}`],
      ...['--log-level', 'error'],
    ];
    rack = spawn(command, args, { stdio: 'ignore' });
  }, 60_000);
  afterAll(async () => {
    await powerOff();
    if (rack) await end(rack);
    await region?.stop();
    await segment?.remove();
    if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  const sumOf = ({ sha256, size }: { sha256: string; size: number }) => ({ sha256, size });
  async function end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  async function powerOff(): Promise<void> {
    if (machine) await end(machine);
    machine = null;
  }

  /** A machine with its keys enrolled, the way servers leave the factory; `disk` is a folder, seen as a disk with one FAT partition. */
  async function powerOn(name: string, mac: string, disk?: string): Promise<void> {
    const variables = join(dir, `${name}.vars`);
    await copyFile('/usr/share/OVMF/OVMF_VARS_4M.ms.fd', variables);
    const [command = '', ...args] = [
      ...[...segment.inMachine, 'qemu-system-x86_64'],
      // The keys are safe from the system only where the flash is written in management mode.
      ...['-machine', 'q35,smm=on,graphics=off', '-global', 'driver=cfi.pflash01,property=secure,value=on'],
      ...'-accel tcg -cpu Nehalem -smp 1 -m 1024 -nodefaults -display none -vga none'.split(' '),
      ...['-drive', 'if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'],
      ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
      ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=n'],
      ...['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`],
      // An empty ROM leaves the network to OVMF's own client.
      ...['-device', `virtio-net-pci,netdev=net0,mac=${mac},bootindex=1,romfile=`, '-device', 'virtio-rng-pci'],
      ...['-serial', `file:${join(dir, `${name}.log`)}`],
      ...(disk ? ['-drive', `if=none,id=disk0,format=raw,readonly=on,file=fat:${disk}`] : []),
      // OVMF lets GRUB see no disk that is not in its boot order.
      ...(disk ? ['-device', 'virtio-blk-pci,drive=disk0,bootindex=2'] : []),
    ];
    machine = spawn(command, args, { stdio: 'ignore' });
  }
  const serial = async (name: string) => await readFile(join(dir, `${name}.log`), 'latin1').catch(() => '');
  const reads = (mac: string) =>
    region.evidence
      .filter((each) => each.mac === mac && each.kind === 'tftp.read' && each.data.outcome === 'sent')
      .map(({ data }) => String(data.name).replace(/^\//, ''));

  it('refuses iPXE, which nobody signed', async () => {
    await expect.poll(() => region.of('snapshot.applied'), { timeout: 20_000 }).not.toEqual([]);
    const mac = '52:54:00:00:00:01';
    await powerOn('unsigned', mac);
    await expect.poll(() => serial('unsigned'), { timeout: 120_000, interval: 500 }).toMatch(/Access Denied/);
    await powerOff();
    await expect.poll(() => reads(mac), { timeout: 10_000 }).toContain('snponly.efi');
    expect(region.evidence.filter(({ kind }) => kind === 'boot.script')).toEqual([]);
  }, 150_000);

  it('brings shim, GRUB and the kernel, all signed, to our initramfs', async () => {
    await expect.poll(() => region.of('snapshot.applied'), { timeout: 20_000 }).not.toEqual([]);
    // In place: a rack whose link breaks is told the same again.
    Object.assign(snapshot, { version: 2, uefiBootChain: 'signed' });
    region.say({ type: 'snapshot', snapshot });
    const kea = () => readFile(join(dir, 'rack/kea/dhcp4.json'), 'utf8').catch(() => '');
    await expect.poll(kea, { timeout: 20_000 }).toContain('shimx64.efi');
    const mac = '52:54:00:00:00:02';
    await powerOn('signed', mac);
    try {
      await expect.poll(() => serial('signed'), { timeout: 240_000, interval: 500 }).toMatch(`boot interface ${mac}`);
    } catch (error) {
      console.error((await serial('signed')).slice(-3000), reads(mac));
      throw error;
    }
    await powerOff();
    const said = await serial('signed');
    expect(said).toMatch(/secureboot: Secure boot enabled/);
    expect(said).toMatch(/ingot: initramfs since [\d.]+ s, rack http:\/\/10\.83\.0\.1:5248/);
    const { kernel, initrd } = snapshot.ephemeral[0] ?? {};
    await expect
      .poll(() => [...new Set(reads(mac))], { timeout: 10_000 })
      .toEqual([
        'shimx64.efi',
        'grubx64.efi',
        'grub/grub.cfg',
        `ingot/${mac}/boot.cfg`,
        `blobs/sha256/${kernel?.sha256}`,
        `blobs/sha256/${initrd?.sha256}`,
      ]);
    const scripts = region.evidence.filter((each) => each.mac === mac && each.kind === 'boot.script');
    expect(scripts).toMatchObject([{ data: { decision: 'ephemeral', claimedMac: mac } }]);
  }, 300_000);

  it('hands on to the signed loader on the disk of a deployed machine', async () => {
    await expect.poll(() => region.of('snapshot.applied'), { timeout: 20_000 }).not.toEqual([]);
    const mac = '52:54:00:00:00:03';
    const deployed = { systemId: 'deployed', hostname: 'deployed', macs: [mac], target: 'local' as const };
    const entry = { ...deployed, attempt: null, architecture: 'amd64/generic', kernelOptions: '' };
    Object.assign(snapshot, { version: 3, uefiBootChain: 'signed', machines: [...snapshot.machines, entry] });
    region.say({ type: 'snapshot', snapshot });
    const told = () => region.of('snapshot.applied').some((message) => message.version === 3);
    await expect.poll(told, { timeout: 20_000 }).toBe(true);
    const disk = join(dir, 'disk');
    const loaders = join(disk, 'EFI/debian');
    await mkdir(loaders, { recursive: true });
    await copyFile('/usr/lib/shim/shimx64.efi.signed', join(loaders, 'shimx64.efi'));
    await copyFile('/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed', join(loaders, 'grubx64.efi'));
    await writeFile(join(loaders, 'grub.cfg'), 'echo "this is $root"\nsleep 600\n');
    await powerOn('deployed', mac, disk);
    try {
      await expect.poll(() => serial('deployed'), { timeout: 120_000, interval: 500 }).toMatch(/this is hd\d/);
    } catch (error) {
      console.error((await serial('deployed')).slice(-3000), reads(mac));
      throw error;
    }
    await powerOff();
    expect(reads(mac)).toContain(`ingot/${mac}/boot.cfg`);
  }, 150_000);
});
