import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '@ingot/contract/rack.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundleRack } from '../testing/bundle-rack.ts';
import { startFakeRegion } from '../testing/fake-region.ts';
import { createTestLan, type TestLan } from '../testing/lan.ts';
import { snapshotOf } from '../testing/snapshot.ts';
import { type KeaProcess, startKea } from './kea-process.ts';

/** Our rack in proxy mode beside the DHCP servers that sites have: dnsmasq and Kea. Nobody configured them for us. */

const client = new URL('../testdata/dhcp-client.mjs', import.meta.url).pathname;
const hostile = new URL('../testdata/dhcp-hostile.mjs', import.meta.url).pathname;
const SEED = 20260310;
const MIB = 1024 * 1024;
const blob = randomBytes(1000);
const sum = createHash('sha256').update(blob).digest('hex');
const base = snapshotOf('10.80.0', { sha256: sum, size: blob.length });
const proxied: Snapshot = { ...base, vlans: base.vlans.map((vlan) => ({ ...vlan, dhcp: 'proxy' as const })) };

let lan: TestLan;
let dir: string;
let region: ReturnType<typeof startFakeRegion>;
let rackProcess: ChildProcess;

beforeAll(async () => {
  lan = await createTestLan({ rack: '10.80.0.1/24', site: '10.80.0.2/24', machine: null });
  dir = await mkdtemp(join(tmpdir(), 'proxy-'));
  await bundleRack(join(dir, 'rack.mjs'));
  region = startFakeRegion(join(dir, 'rack.sock'), proxied, new Map([[sum, blob]]));
  await region.listening;
  const rack = [join(dir, 'rack.mjs'), '--state', dir, '--region', `unix:${join(dir, 'rack.sock')}`];
  rackProcess = lan.start('rack', process.execPath, ...rack, '--log-level', 'error');
  await vi.waitFor(() => expect(region.of('snapshot.applied')).toMatchObject([{ error: null }]), { timeout: 20_000 });
}, 60_000);
afterAll(async () => {
  await lan?.remove();
  await region?.stop();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const option = (code: number, text: string) =>
  Buffer.concat([Buffer.from([code, text.length]), Buffer.from(text, 'latin1')]).toString('hex');
const arch = (code: number) => `5d02${code.toString(16).padStart(4, '0')}`;
const ASKERS: [string, string, string, string][] = [
  ['BIOS', `${option(60, 'PXEClient:Arch:00000')}${arch(0)}`, 'undionly.kpxe', 'PXEClient'],
  ['UEFI', `${option(60, 'PXEClient:Arch:00007')}${arch(7)}`, 'snponly.efi', 'PXEClient'],
  ['UEFI HTTP', `${option(60, 'HTTPClient:Arch:00016')}${arch(16)}`, 'http://10.80.0.1:5248/snponly.efi', 'HTTPClient'],
];

interface Booted {
  address: string;
  server: string;
  offered: { server: string; next: string; file: string; vendor: string };
  acked: { file: string } | null;
}
async function boot(mac: string, options: string): Promise<Booted> {
  return JSON.parse(await lan.run('machine', process.execPath, client, 'pxe', mac, options));
}

const dnsmasq = async (): Promise<() => Promise<void>> => {
  const common =
    '-k --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --no-ping --pid-file= --user=root';
  const range = ['--dhcp-range=10.80.0.100,10.80.0.150,1h', '--dhcp-leasefile=/dev/null', '--dhcp-authoritative'];
  const child: ChildProcess = lan.start('site', 'dnsmasq', ...common.split(' '), ...range, '--log-facility=/dev/null');
  return async () => await lan.kill(child);
};
const kea = async (): Promise<() => Promise<void>> => {
  const state = join(dir, 'site-kea');
  const configFile = join(dir, 'site-kea.json');
  const subnet = { id: 1, subnet: '10.80.0.0/24', pools: [{ pool: '10.80.0.160 - 10.80.0.190' }] };
  const Dhcp4 = {
    'interfaces-config': { interfaces: ['eth0'] },
    'control-socket': { 'socket-type': 'unix', 'socket-name': join(dir, 'site-ctl') },
    'lease-database': { type: 'memfile', persist: false },
    subnet4: [subnet],
  };
  await writeFile(configFile, JSON.stringify({ Dhcp4 }));
  const running: KeaProcess = await startKea({
    dir: state,
    controlSocket: join(dir, 'site-ctl'),
    configFile,
    log: pino({ level: 'silent' }),
    commandPrefix: lan.enter('site'),
    onExit: () => undefined,
  });
  return async () => await running.stop();
};

describe.each([
  ['dnsmasq', dnsmasq],
  ['Kea', kea],
])('beside %s', (name, start) => {
  const mac = name === 'Kea' ? '02:00:00:00:0b:01' : '02:00:00:00:0a:01';
  let stop: () => Promise<void>;
  beforeAll(async () => {
    stop = await start();
  }, 20_000);
  afterAll(() => stop?.());

  it.each(ASKERS)('%s gets its address there and its program here', async (_, options, file, vendor) => {
    const booted = await boot(mac, `${options}3703034342`);
    expect(booted.server).toBe('10.80.0.2');
    expect(booted.address).toMatch(/^10\.80\.0\.1\d\d$/);
    expect(booted.offered).toEqual({ server: '10.80.0.1', next: '10.80.0.1', file, vendor });
    expect(booted.acked?.file).toBe(file);
  });

  it('iPXE gets a script for the card that the wire shows, never for the one that the URL claims', async () => {
    const own = await lan.mac('machine');
    const ipxe = `${option(60, 'PXEClient:Arch:00000')}${arch(0)}${option(77, 'iPXE')}`;
    const booted = await boot(own, ipxe);
    expect(booted.offered.file).toBe(`http://10.80.0.1:5248/boot.ipxe?mac=${own}`);
    const get = (url: string) => lan.run('machine', 'curl', '-s', '-S', '--max-time', '10', url);
    const script = await get(booted.offered.file);
    const ticket = JSON.parse(Buffer.from(/ingot.ticket=([\w-]+)/.exec(script)?.[1] ?? '', 'base64url').toString());
    expect(ticket).toMatchObject({ machine: null, mac: own });
    const claimed = await get('http://10.80.0.1:5248/boot.ipxe?mac=52:54:00:00:00:99');
    expect(claimed).toContain('another card');
    expect(claimed).not.toContain('ticket');
    await expect
      .poll(() => region.evidence.filter((one) => one.mac === own).map(({ kind }) => kind))
      .toEqual(expect.arrayContaining(['dhcp.proxy', 'boot.script']));
    const seen = () => region.of('leases').flatMap(({ items }) => items);
    await expect.poll(seen).toContainEqual(expect.objectContaining({ ip: booted.address, mac: own, subnetId: 4 }));
  });
});

it('leaves what does not boot from the network alone, and gives no addresses', async () => {
  const asking = lan.run('machine', process.execPath, client, 'lease', '02:00:00:00:0c:01');
  await expect(asking).rejects.toThrow('no ACK');
}, 15_000);

/**
 * @fault A host on the machines' network sends two thousand packets that are nearly, or not at all, DHCP: cut, with options that
 * lie about their length, in loops, of 64 KB, empty, relayed by nobody, as noise; to port 67 and to the proxy's 4011.
 * @sees Nothing; what is a proper request in spite of it gets a proper answer.
 * @ends The rack keeps no more than before and tells the next machine what to boot.
 */
it('outlives two thousand hostile packets', async () => {
  const memory = async () =>
    1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${rackProcess.pid}/status`, 'utf8'))?.[1]);
  const stop = await dnsmasq();
  try {
    const [, uefi] = ASKERS;
    const options = `${uefi?.[1]}3703034342`;
    const asked = { server: '10.80.0.1', next: '10.80.0.1', file: uefi?.[2], vendor: uefi?.[3] };
    expect((await boot('02:00:00:00:0d:01', options)).offered).toEqual(asked);
    const before = await memory();
    const sent = await lan.run('machine', process.execPath, hostile, 'requests', String(SEED), '1000', '10.80.0.1');
    const { answers, wrong } = JSON.parse(sent);
    expect(wrong, `seed ${SEED}`).toEqual([]);
    // Some of them are proper requests, on either port.
    expect(answers[67], `seed ${SEED}`).toBeGreaterThan(10);
    expect(answers[4011], `seed ${SEED}`).toBeGreaterThan(10);
    expect([rackProcess.exitCode, rackProcess.signalCode]).toEqual([null, null]);
    expect((await memory()) - before).toBeLessThan(40 * MIB);
    const booted = await boot('02:00:00:00:0d:02', options);
    expect([booted.offered, booted.acked?.file]).toEqual([asked, uefi?.[2]]);
  } finally {
    await stop();
  }
}, 60_000);
