import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SnapshotVlan } from '@ingot/contract/rack.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostAddress } from '../network/interfaces.ts';
import { createTestSegment, type TestSegment } from '../testing/segment.ts';
import { type Kea, openKea } from './kea.ts';
import { type KeaConfig, renderKeaConfig } from './kea-config.ts';

const run = promisify(execFile);
const client = new URL('../testdata/dhcp-client.mjs', import.meta.url).pathname;
const host: HostAddress = { interface: 'eth0', mac: '02:00:00:00:00:02', address: '10.77.0.1', cidr: '10.77.0.1/24' };
const vlan: SnapshotVlan = {
  id: 5,
  vid: 0,
  name: 'untagged',
  dhcp: 'on',
  mtu: 1500,
  subnets: [
    {
      id: 3,
      cidr: '10.77.0.0/24',
      gateway: '10.77.0.254',
      dnsServers: ['10.77.0.53'],
      pools: [{ start: '10.77.0.100', end: '10.77.0.200' }],
      reservations: [{ mac: '02:00:00:00:00:aa', ip: '10.77.0.10', hostname: 'fixed' }],
    },
  ],
};

let segment: TestSegment;
let dir: string;
let kea: Kea;
const goodConfig = (): KeaConfig => renderKeaConfig({ vlans: [{ vlan, host }], relayed: [] }, kea.paths, 5248);
const breakWith = (change: (config: KeaConfig['Dhcp4']) => unknown): KeaConfig => {
  const config = structuredClone(goodConfig());
  change(config.Dhcp4);
  return config;
};
const subnetOf = (config: KeaConfig['Dhcp4']) => {
  const subnet = config['shared-networks'][0]?.subnet4[0];
  if (!subnet) throw new Error('no subnet');
  return subnet;
};

beforeAll(async () => {
  segment = await createTestSegment('10.77.0.1/24');
  dir = await mkdtemp(join(tmpdir(), 'kea-'));
  kea = await openKea({
    dir,
    log: pino({ level: 'silent' }),
    commandPrefix: segment.inRack,
    send: async (address) => {
      const [command = '', ...args] = [...segment.inRack, process.execPath, client, 'discover-once', address];
      await run(command, args);
    },
  });
  expect(await kea.apply(goodConfig(), [host.address])).toMatchObject({ ok: true });
}, 30_000);
afterAll(async () => {
  await kea?.stop();
  await segment?.remove();
  if (dir) await rm(dir, { recursive: true });
});

interface Ack {
  address: string;
  next: string;
  file: string;
  options: Record<string, string>;
}
async function lease(mac: string, options = ''): Promise<Ack> {
  const [command = '', ...args] = [...segment.inMachine, process.execPath, client, 'lease', mac, options];
  return JSON.parse((await run(command, args)).stdout);
}
const hexOption = (code: number, text: string) =>
  Buffer.concat([Buffer.from([code, text.length]), Buffer.from(text, 'latin1')]).toString('hex');
const asked = { vendorPxe: hexOption(60, 'PXEClient:Arch:00000'), vendorHttp: hexOption(60, 'HTTPClient:Arch:00016') };

describe('what Kea answers, by how a machine asks', () => {
  it.each([
    ['BIOS', `${asked.vendorPxe}5d020000`, 'undionly.kpxe'],
    ['UEFI PXE', `${asked.vendorPxe}5d020007`, 'snponly.efi'],
    ['UEFI HTTP', `${asked.vendorHttp}5d020010`, 'http://10.77.0.1:5248/snponly.efi'],
    ['iPXE on BIOS', `${asked.vendorPxe}5d020000${hexOption(77, 'iPXE')}`, 'http://10.77.0.1:5248/boot.ipxe'],
    ['iPXE on UEFI', `${asked.vendorPxe}5d020007${hexOption(77, 'iPXE')}`, 'http://10.77.0.1:5248/boot.ipxe'],
  ])('%s', async (name, options, file) => {
    const ack = await lease('02:00:00:00:01:01', `${options}3703034352`);
    expect(ack.file).toBe(file);
    expect(ack.next).toBe('10.77.0.1');
    if (name.startsWith('iPXE')) expect(ack.options[175]).toContain('b00101');
    if (name === 'UEFI HTTP') expect(Buffer.from(ack.options[60] ?? '', 'hex').toString()).toBe('HTTPClient');
  });

  it('keeps one address for a machine whatever client id it sends, and honours reservations', async () => {
    const first = await lease('02:00:00:00:01:02', '3d0701020000000102');
    const second = await lease('02:00:00:00:01:02', '3d05ff01020304');
    expect(second.address).toBe(first.address);
    expect((await lease('02:00:00:00:00:aa')).address).toBe('10.77.0.10');
  });
});

/**
 * @fault The region sends the rack network configurations that Kea refuses.
 * @sees The rack shows the error of the snapshot.
 * @ends The last good configuration stays in force and every machine is answered.
 */
it('hears every DISCOVER within 2 s while 20 broken configurations come in a row', async () => {
  const broken: [string, (config: KeaConfig['Dhcp4']) => unknown][] = [
    ['pool outside of its subnet', (c) => Object.assign(subnetOf(c), { pools: [{ pool: '10.78.0.1 - 10.78.0.9' }] })],
    ['pools that overlap', (c) => subnetOf(c).pools.push({ pool: '10.77.0.150 - 10.77.0.250' })],
    // Passes config-test; config-set then leaves Kea deaf.
    [
      'a lease file that cannot be opened',
      (c) => Object.assign(c['lease-database'], { name: '/nowhere/at/all/leases.csv' }),
    ],
    ['an interface that is not there', (c) => Object.assign(c['interfaces-config'], { interfaces: ['eth9'] })],
    ['a class that does not parse', (c) => Object.assign(c['client-classes'][0] ?? {}, { test: 'option[60].hex ==' })],
    ['a hook that is not there', (c) => Object.assign(c, { 'hooks-libraries': [{ library: '/no/such.so' }] })],
    [
      'one address reserved twice',
      (c) => subnetOf(c).reservations.push({ 'hw-address': '02:00:00:00:00:bb', 'ip-address': '10.77.0.10' }),
    ],
    ['a subnet that is none', (c) => Object.assign(subnetOf(c), { subnet: '10.77.0.0/99' })],
    [
      'an option that is no address',
      (c) => Object.assign(subnetOf(c), { 'option-data': [{ name: 'routers', data: 'gateway' }] }),
    ],
    [
      'another lease file that cannot be opened',
      (c) => Object.assign(c['lease-database'], { name: '/proc/leases.csv' }),
    ],
  ];
  const [command = '', ...args] = [...segment.inMachine, process.execPath, client, 'discover-forever'];
  const machine = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const offers: number[] = [];
  machine.stdout.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n'))
      if (line.startsWith('offer')) offers.push(Number(line.split(' ')[1]));
  });
  try {
    await expect.poll(() => offers.length, { timeout: 5000 }).toBeGreaterThan(3);
    for (const [name, change] of [...broken, ...broken]) {
      expect(await kea.apply(breakWith(change), [host.address]), name).toMatchObject({
        ok: false,
        error: expect.stringMatching(/\w{4}/),
      });
    }
    const count = offers.length;
    await expect.poll(() => offers.length, { timeout: 3000 }).toBeGreaterThan(count + 3);
  } finally {
    machine.kill('SIGKILL');
  }
  const gaps = offers.slice(1).map((at, i) => at - (offers[i] ?? at));
  expect(Math.max(...gaps)).toBeLessThan(2000);
  expect(JSON.parse(await readFile(join(dir, 'dhcp4.json'), 'utf8'))).toEqual(goodConfig());
  expect(kea.health()).toEqual({ ok: true, detail: 'serving' });
}, 60_000);

/**
 * @fault Kea is killed with -9.
 * @sees Nothing but a DISCOVER that is answered a moment later.
 * @ends The rack starts Kea again with its last good configuration; leases stay.
 */
it('comes back after Kea was killed', async () => {
  const pid = Number(await readFile(join(dir, 'dhcp4.kea-dhcp4.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => kea.health().detail, { timeout: 3000, interval: 20 }).toMatch(/died/);
  await expect.poll(() => kea.health(), { timeout: 8000 }).toEqual({ ok: true, detail: 'serving' });
  expect((await lease('02:00:00:00:00:aa')).address).toBe('10.77.0.10');
}, 20_000);
