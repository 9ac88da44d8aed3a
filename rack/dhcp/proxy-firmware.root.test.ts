import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '@ingot/contract/rack.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { bundleRack } from '../testing/bundle-rack.ts';
import { startFakeRegion } from '../testing/fake-region.ts';
import { createTestLan, type TestLan } from '../testing/lan.ts';
import { snapshotOf } from '../testing/snapshot.ts';

/** Real firmware beside a DHCP server of the site: what each asks the rack for on its way to the kernel. Nothing boots. */

const blob = randomBytes(50_000);
const sum = createHash('sha256').update(blob).digest('hex');
const base = snapshotOf('10.85.0', { sha256: sum, size: blob.length });
const told: Snapshot = { ...base, vlans: base.vlans.map((vlan) => ({ ...vlan, dhcp: 'proxy' as const })) };

interface Firmware {
  name: string;
  mac: string;
  tap: string;
  uefi: boolean;
}
const MACHINES: Firmware[] = [
  { name: 'bios', mac: '52:54:00:85:00:01', tap: 'tap1', uefi: false },
  { name: 'uefi', mac: '52:54:00:85:00:02', tap: 'tap2', uefi: true },
];

let lan: TestLan;
let dir: string;
let region: ReturnType<typeof startFakeRegion>;

beforeAll(async () => {
  lan = await createTestLan({ rack: '10.85.0.1/24', site: '10.85.0.2/24', machine: null });
  dir = await mkdtemp(join(tmpdir(), 'proxy-firmware-'));
  const ip = async (line: string) => await lan.run('machine', 'ip', ...line.split(' '));
  await ip('link add br0 type bridge stp_state 0 forward_delay 0');
  for (const { tap } of MACHINES) {
    await ip(`tuntap add ${tap} mode tap`);
    await ip(`link set ${tap} master br0 up`);
  }
  await ip('link set eth0 master br0');
  await ip('link set br0 up');
  const common =
    '-k --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --no-ping --pid-file= --user=root';
  const range = ['--dhcp-range=10.85.0.100,10.85.0.150,1h', '--dhcp-leasefile=/dev/null', '--log-facility=/dev/null'];
  lan.start('site', 'dnsmasq', ...common.split(' '), ...range);
  await bundleRack(join(dir, 'rack.mjs'));
  region = startFakeRegion(join(dir, 'rack.sock'), told, new Map([[sum, blob]]));
  await region.listening;
  const rack = [join(dir, 'rack.mjs'), '--state', dir, '--region', `unix:${join(dir, 'rack.sock')}`];
  lan.start('rack', process.execPath, ...rack, '--log-level', 'error');
  await vi.waitFor(() => expect(region.of('snapshot.applied').length).toBeGreaterThan(0), { timeout: 20_000 });
}, 60_000);
afterAll(async () => {
  await lan?.remove();
  await region?.stop();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

async function powerOn({ name, mac, tap, uefi }: Firmware): Promise<void> {
  const common = '-machine q35,graphics=off -accel tcg -cpu Nehalem -smp 1 -m 512 -nodefaults -display none -vga none';
  const variables = join(dir, `${name}.vars`);
  if (uefi) await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', variables);
  const firmware = uefi
    ? [
        ...['-drive', 'if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd'],
        ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
        ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=n'],
      ]
    : [];
  // An empty ROM leaves the network to OVMF's own client.
  const card = `virtio-net-pci,netdev=net0,mac=${mac},bootindex=1${uefi ? ',romfile=' : ''}`;
  const network = ['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`, '-device', card];
  const serial = ['-device', 'virtio-rng-pci', '-serial', `file:${join(dir, `${name}.log`)}`];
  lan.start('machine', 'qemu-system-x86_64', ...common.split(' '), ...firmware, ...network, ...serial);
}

/** Evidence of one machine, each thing once: kind and what it was about. */
function story(mac: string): string[] {
  const lines = region.evidence
    .filter((each) => each.mac === mac)
    .map(({ kind, data }) => `${kind} ${data.name ?? data.path ?? data.decision ?? data.kind}`);
  return [...new Set(lines)];
}

it.each(MACHINES)(
  '$name gets its address from the site and its boot from the rack',
  async (machine) => {
    await powerOn(machine);
    const [program, asked] = machine.uefi ? ['snponly.efi', 'dhcp.proxy pxe'] : ['undionly.kpxe', 'dhcp.proxy ipxe'];
    try {
      await expect
        .poll(() => story(machine.mac), { timeout: 150_000, interval: 500 })
        .toEqual(expect.arrayContaining([asked, 'boot.script ephemeral', `http.read /blobs/sha256/${sum}`]));
      // QEMU's own ROM is iPXE and goes to the script at once; OVMF fetches iPXE first.
      if (machine.uefi) expect(story(machine.mac)).toContain(`tftp.read ${program}`);
    } catch (error) {
      console.error((await readFile(join(dir, `${machine.name}.log`), 'latin1').catch(() => '')).slice(-2500));
      console.error(story(machine.mac));
      throw error;
    }
  },
  180_000,
);
