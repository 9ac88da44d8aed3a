import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleRack } from './testing/bundle-rack.ts';
import { startFakeRegion } from './testing/fake-region.ts';
import { createTestSegment, type TestSegment } from './testing/segment.ts';
import { snapshotOf } from './testing/snapshot.ts';

/** Real firmware against the rack: what each asks for on its way to the kernel. Nothing boots; the kernel is noise. */

const run = promisify(execFile);
const blob = randomBytes(50_000);
const sum = createHash('sha256').update(blob).digest('hex');
const snapshot = snapshotOf('10.79.0', { sha256: sum, size: blob.length });

interface Firmware {
  name: string;
  mac: string;
  tap: string;
  /** UEFI settings by fw_cfg; null = SeaBIOS with QEMU's iPXE ROM. */
  uefi: string[] | null;
}
const machines: Firmware[] = [
  { name: 'bios', mac: '52:54:00:00:00:01', tap: 'tap1', uefi: null },
  { name: 'uefi-pxe', mac: '52:54:00:00:00:02', tap: 'tap2', uefi: ['IPv6PXESupport'] },
  { name: 'uefi-http', mac: '52:54:00:00:00:03', tap: 'tap3', uefi: ['IPv4PXESupport', 'IPv6PXESupport'] },
];

let segment: TestSegment;
let dir: string;
let region: ReturnType<typeof startFakeRegion>;
const children: ChildProcess[] = [];

function start(prefix: string[], args: string[]): void {
  const [command = '', ...rest] = [...prefix, ...args];
  children.push(spawn(command, rest, { stdio: 'ignore' }));
}

beforeAll(async () => {
  segment = await createTestSegment('10.79.0.1/24');
  dir = await mkdtemp(join(tmpdir(), 'firmware-'));
  const ip = async (line: string) => await run('ip', ['-n', segment.machine, ...line.split(' ')]);
  await ip('link add br0 type bridge stp_state 0 forward_delay 0');
  for (const { tap } of machines) {
    await ip(`tuntap add ${tap} mode tap`);
    await ip(`link set ${tap} master br0 up`);
  }
  await ip('link set eth0 master br0');
  await ip('addr add fd79::fe/64 dev br0 nodad');
  await ip('link set br0 up');
  // Without router advertisements iPXE waits 16 s for IPv6.
  const router = '-k --conf-file=/dev/null --port=0 --interface=br0 --bind-interfaces --enable-ra --ra-param=br0,10';
  start(segment.inMachine, [
    'dnsmasq',
    ...router.split(' '),
    '--dhcp-range=fd79::,ra-only',
    '--dhcp-leasefile=/dev/null',
    '--pid-file=',
    '--user=root',
  ]);

  await bundleRack(join(dir, 'rack.mjs'));
  region = startFakeRegion(join(dir, 'rack.sock'), snapshot, new Map([[sum, blob]]));
  await region.listening;
  const rack = [process.execPath, join(dir, 'rack.mjs'), '--state', dir, '--region', `unix:${join(dir, 'rack.sock')}`];
  start(segment.inRack, [...rack, '--log-level', 'error']);
}, 30_000);
afterAll(async () => {
  const gone = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(gone);
  await region?.stop();
  await segment?.remove();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

async function powerOn({ name, mac, tap, uefi }: Firmware): Promise<void> {
  const common = '-machine q35,graphics=off -accel tcg -cpu Nehalem -smp 1 -m 512 -nodefaults -display none -vga none';
  const variables = join(dir, `${name}.vars`);
  if (uefi) await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', variables);
  const firmware = uefi && [
    ...['-drive', 'if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd'],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
    ...uefi.flatMap((setting) => ['-fw_cfg', `name=opt/org.tianocore/${setting},string=n`]),
  ];
  // An empty ROM leaves the network to OVMF's own client.
  const card = `virtio-net-pci,netdev=net0,mac=${mac},bootindex=1${uefi ? ',romfile=' : ''}`;
  const network = ['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`, '-device', card];
  const serial = ['-device', 'virtio-rng-pci', '-serial', `file:${join(dir, `${name}.log`)}`];
  start(segment.inMachine, ['qemu-system-x86_64', ...common.split(' '), ...(firmware ?? []), ...network, ...serial]);
}

/** Evidence of one machine up to its first kernel fetch: kind and what was asked for, each once. */
function story(mac: string): string[] {
  const lines = region.evidence
    .filter((each) => each.mac === mac && each.kind !== 'dhcp.lease')
    .map(({ kind, data }) =>
      `${kind} ${data.name ?? data.path ?? data.decision} ${data.outcome ?? data.status ?? ''}`.trim(),
    );
  return [...new Set(lines)];
}
const kernel = `http.read /blobs/sha256/${sum} 200`;

it('brings SeaBIOS, OVMF by PXE and OVMF by HTTP to their kernel', async () => {
  await expect.poll(() => region.of('snapshot.applied'), { timeout: 10_000 }).toMatchObject([{ error: null }]);
  for (const machine of machines) await powerOn(machine);
  const [bios, pxe, http] = machines.map(({ mac }) => mac);
  const serials = async () => {
    const texts = await Promise.all(
      machines.map(({ name }) => readFile(join(dir, `${name}.log`), 'latin1').catch(() => '')),
    );
    return texts.map((text) => text.slice(-1500)).join('\n----\n');
  };
  try {
    await expect.poll(() => story(bios ?? ''), { timeout: 120_000 }).toEqual(['boot.script ephemeral', kernel]);
    await expect
      .poll(() => story(http ?? ''), { timeout: 120_000 })
      .toEqual(['http.read /snponly.efi 200', 'boot.script ephemeral', kernel]);
    await expect
      .poll(() => story(pxe ?? ''), { timeout: 120_000 })
      .toEqual(['tftp.read snponly.efi aborted', 'tftp.read snponly.efi sent', 'boot.script ephemeral', kernel]);
  } catch (error) {
    console.error(await serials());
    throw error;
  }
}, 240_000);
