import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DhcpPeer, Snapshot } from '@ingot/contract/rack.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { bundleRack } from '../testing/bundle-rack.ts';
import { startFakeRegion } from '../testing/fake-region.ts';
import { createTestLan, type TestLan } from '../testing/lan.ts';
import { snapshotOf } from '../testing/snapshot.ts';

/** Two racks on one VLAN: the second is silent while the first is there, knows its leases, and answers when it is gone. */

const client = new URL('../testdata/dhcp-client.mjs', import.meta.url).pathname;
const base = snapshotOf('10.84.0', { sha256: '0'.repeat(64), size: 1 });
const NAMES = ['first', 'second'] as const;
type Name = (typeof NAMES)[number];
const addressOf = { first: '10.84.0.1', second: '10.84.0.2' };

let lan: TestLan;
let dir: string;
/** What a rack is told, also when it comes back: the fake region never pings, so its links end now and then. */
const told: Snapshot = { ...base, vlans: [] };
const regions = new Map<Name, ReturnType<typeof startFakeRegion>>();
const racks = new Map<Name, ChildProcess>();
const region = (name: Name) => {
  const found = regions.get(name);
  if (!found) throw new Error(`no region of ${name}`);
  return found;
};

function startRack(name: Name): void {
  const state = join(dir, name);
  const rack = [join(dir, 'rack.mjs'), '--state', state, '--region', `unix:${join(state, 'rack.sock')}`];
  racks.set(name, lan.start(name, process.execPath, ...rack, '--no-tftp', '--log-level', 'error'));
}

beforeAll(async () => {
  lan = await createTestLan({ first: '10.84.0.1/24', second: '10.84.0.2/24', machine: null });
  dir = await mkdtemp(join(tmpdir(), 'pair-'));
  await bundleRack(join(dir, 'rack.mjs'));
  for (const name of NAMES) {
    await mkdir(join(dir, name));
    const started = startFakeRegion(join(dir, name, 'rack.sock'), told, new Map());
    regions.set(name, started);
    await started.listening;
    startRack(name);
  }
  for (const name of NAMES)
    await vi.waitFor(() => expect(region(name).of('hello')).toHaveLength(1), { timeout: 20_000 });
}, 60_000);
afterAll(async () => {
  await lan?.remove();
  for (const one of regions.values()) await one.stop();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const helloOf = (name: Name) => {
  const hello = region(name).of('hello')[0];
  if (!hello?.certificate) throw new Error(`${name} did not tell its certificate`);
  return { rack: hello.rack, certificate: hello.certificate };
};
function paired(version: number, withPeers: boolean): Snapshot {
  const peers: DhcpPeer[] = NAMES.map((name) => ({
    ...helloOf(name),
    role: name === 'first' ? 'primary' : 'standby',
    address: addressOf[name],
  }));
  const racks_ = peers.map(({ rack }) => rack);
  return {
    ...base,
    version,
    vlans: base.vlans.map((vlan) => ({ ...vlan, racks: racks_, ...(withPeers ? { peers } : {}) })),
  };
}
async function apply(snapshot: Snapshot): Promise<void> {
  Object.assign(told, snapshot);
  for (const name of NAMES) {
    region(name).say({ type: 'snapshot', snapshot });
    await expect
      .poll(() => region(name).of('snapshot.applied').at(-1), { timeout: 15_000 })
      .toMatchObject({ version: snapshot.version, error: null });
  }
}
interface Lease {
  address: string;
  next: string;
}
// Kea names the server that answers in next-server for whoever boots from the network.
const bios = '3c09505845436c69656e745d020000';
const lease = async (mac: string): Promise<Lease> =>
  JSON.parse(await lan.run('machine', process.execPath, client, 'lease', mac, bios));

/** What a rack says of its DHCP in its newest word on its health. */
const dhcpOf = (name: Name) =>
  region(name)
    .of('health')
    .at(-1)
    ?.services.find((service) => service.name === 'dhcp')?.detail;

it('a second rack keeps silent until both know of each other', async () => {
  await apply(paired(2, false));
  for (const mac of ['02:00:00:00:00:01', '02:00:00:00:00:02']) expect((await lease(mac)).next).toBe('10.84.0.1');
}, 40_000);

/**
 * @fault the primary rack of a VLAN dies, with its DHCP server
 * @sees machines are answered by the second rack after about ten seconds, with the addresses that they had
 * @ends when the first rack is back: it takes the leases over and serves again; nobody has to do anything
 */
it('the second knows the leases of the first and answers when that is gone', async () => {
  await apply(paired(3, true));
  const given = await vi.waitFor(() => lease('02:00:00:00:00:03'), { timeout: 60_000 });
  expect(given.next).toBe('10.84.0.1');
  const leases = (name: Name) =>
    region(name)
      .of('leases')
      .flatMap(({ items }) => items.map(({ ip, mac }) => `${ip} ${mac}`));
  for (const name of NAMES) {
    await expect.poll(() => leases(name), { timeout: 10_000 }).toContain(`${given.address} 02:00:00:00:00:03`);
  }
  await expect.poll(() => dhcpOf('first'), { timeout: 30_000 }).toBe('serving, the second rack stands by');
  await expect.poll(() => dhcpOf('second'), { timeout: 30_000 }).toBe('standing by, the first rack serves');
  const first = racks.get('first');
  if (!first) throw new Error('no first rack');
  await lan.kill(first);
  const again = await vi.waitFor(() => lease('02:00:00:00:00:03'), { timeout: 60_000 });
  expect(again).toMatchObject({ address: given.address, next: '10.84.0.2' });
  expect((await lease('02:00:00:00:00:04')).address).not.toBe(given.address);
  await expect.poll(() => dhcpOf('second'), { timeout: 30_000 }).toBe('serving: the first rack does not answer');
  startRack('first');
  const back = async () => {
    const answered = await lease('02:00:00:00:00:05');
    expect(answered.next).toBe('10.84.0.1');
  };
  await vi.waitFor(back, { timeout: 60_000, interval: 1000 });
}, 200_000);

it('nobody else may command the DHCP server at the port of the pair', async () => {
  const command = JSON.stringify({ command: 'config-get', service: ['dhcp4'] });
  const ask = (url: string, ...more: string[]) =>
    lan.run(
      'second',
      'curl',
      '-s',
      '-S',
      '-k',
      '--max-time',
      '5',
      ...more,
      '-H',
      'content-type: application/json',
      '-d',
      command,
      url,
    );
  await expect(ask('https://10.84.0.1:5251/')).rejects.toThrow();
  await expect(ask('http://10.84.0.1:5251/')).rejects.toThrow();
  const tls = join(dir, 'second', 'rack', 'tls');
  const answer = await ask('https://10.84.0.1:5251/', '--cert', join(tls, 'cert.pem'), '--key', join(tls, 'key.pem'));
  expect(answer).toContain('result');
  expect(await readFile(join(tls, 'cert.pem'), 'utf8')).toContain('BEGIN CERTIFICATE');
}, 30_000);
