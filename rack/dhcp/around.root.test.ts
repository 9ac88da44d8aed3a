import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '@ingot/contract/rack.ts';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { bundleRack } from '../testing/bundle-rack.ts';
import { startFakeRegion } from '../testing/fake-region.ts';
import { createTestLan, type TestLan } from '../testing/lan.ts';
import { snapshotOf } from '../testing/snapshot.ts';

/** What a rack that gives addresses notices around it: other servers, a range that is used up, requests through a relay. */

const client = new URL('../testdata/dhcp-client.mjs', import.meta.url).pathname;
const hostile = new URL('../testdata/dhcp-hostile.mjs', import.meta.url).pathname;
const SEED = 20260311;
const base = snapshotOf('10.82.0', { sha256: '0'.repeat(64), size: 1 });

let lan: TestLan;
let dir: string;
let region: ReturnType<typeof startFakeRegion>;
let version = 1;
/** What the rack is told, also when it comes back: the fake region never pings, so its links end now and then. */
const told: Snapshot = { ...base, vlans: [] };

beforeAll(async () => {
  lan = await createTestLan({ rack: '10.82.0.1/24', rogue: '10.82.0.66/24', relay: '10.82.0.9/24', machine: null });
  await lan.run('relay', 'ip', 'addr', 'add', '10.83.0.1/24', 'dev', 'lo');
  await lan.run('rack', 'ip', 'route', 'add', '10.83.0.0/24', 'via', '10.82.0.9');
  await lan.run('relay', 'ip', 'route', 'add', '255.255.255.255/32', 'dev', 'eth0');
  dir = await mkdtemp(join(tmpdir(), 'around-'));
  await bundleRack(join(dir, 'rack.mjs'));
  region = startFakeRegion(join(dir, 'rack.sock'), told, new Map());
  await region.listening;
  const rack = [join(dir, 'rack.mjs'), '--state', dir, '--region', `unix:${join(dir, 'rack.sock')}`];
  lan.start('rack', process.execPath, ...rack, '--log-level', 'error');
  await vi.waitFor(() => expect(region.of('snapshot.applied')).toHaveLength(1), { timeout: 20_000 });
}, 60_000);
afterAll(async () => {
  await lan?.remove();
  await region?.stop();
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});
beforeEach(async () => {
  // Off in between: a network that is served anew is looked at anew.
  await apply([]);
});

async function apply(vlans: Snapshot['vlans']): Promise<void> {
  version += 1;
  Object.assign(told, { version, vlans });
  region.say({ type: 'snapshot', snapshot: told });
  await expect
    .poll(() => region.of('snapshot.applied').at(-1), { timeout: 10_000 })
    .toMatchObject({ version, error: null });
}
const lease = (mac: string) => lan.run('machine', process.execPath, client, 'lease', mac);
function startDnsmasq() {
  const common =
    '-k --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --no-ping --pid-file= --user=root';
  const range = ['--dhcp-range=10.82.0.200,10.82.0.210,1h', '--dhcp-leasefile=/dev/null', '--log-facility=/dev/null'];
  return lan.start('rogue', 'dnsmasq', ...common.split(' '), ...range);
}
const foreign = () => region.of('dhcp').flatMap((message) => message.foreign);
const newest = () => foreign().at(-1);
const pools = () => region.of('dhcp').flatMap((message) => message.pools);

/**
 * @fault a foreign DHCP server answers in a network that the rack serves
 * @sees the rack names its address and MAC within seconds of serving the network, then every five minutes: `network.foreign_dhcp`
 * @ends the next look that hears nobody takes the warning back; our own server never counts
 */
it('names a foreign DHCP server, and nobody when there is none', async () => {
  await apply(base.vlans);
  await expect.poll(newest, { timeout: 15_000 }).toEqual({ vlanId: 1, servers: [] });
  await apply([]);
  const rogue = startDnsmasq();
  try {
    await apply(base.vlans);
    const servers = [{ address: '10.82.0.66', mac: await lan.mac('rogue') }];
    await expect.poll(newest, { timeout: 15_000 }).toEqual({ vlanId: 1, servers });
  } finally {
    await lan.kill(rogue);
  }
  // That the probe meets its own rack's full or empty range changes no counter.
  expect(pools().every(({ refused }) => refused === 0)).toBe(true);
}, 60_000);

/**
 * @fault a host answers the rack's search for foreign DHCP servers with packets that are nearly, or not at all, offers
 * @sees the server that is really there, and nobody else
 * @ends the rack goes on; a packet that offers nothing names nobody
 */
it('names the foreign server among hostile answers, and nobody for these', async () => {
  const before = foreign().length;
  const liar = lan.start('relay', process.execPath, hostile, 'offers', String(SEED));
  const rogue = startDnsmasq();
  try {
    await apply(base.vlans);
    const servers = [{ address: '10.82.0.66', mac: await lan.mac('rogue') }];
    await expect.poll(() => foreign().slice(before), { timeout: 15_000 }).toEqual([{ vlanId: 1, servers }]);
  } finally {
    await lan.kill(rogue);
    await lan.kill(liar);
  }
}, 60_000);

/**
 * @fault the dynamic range is exhausted while a machine asks for an address
 * @sees the rack counts the refusal and reports it with how many addresses there are: `network.range_exhausted`
 * @ends with more addresses: the machine, which goes on asking, gets one without anything being restarted
 */
it('counts who asked in vain, and serves them once there is room', async () => {
  const small = structuredClone(base.vlans);
  const [subnet] = small[0]?.subnets ?? [];
  if (!subnet) throw new Error('no subnet');
  subnet.pools = [{ start: '10.82.0.100', end: '10.82.0.101' }];
  await apply(small);
  await lease('02:00:00:00:00:01');
  await lease('02:00:00:00:00:02');
  const third = lease('02:00:00:00:00:03');
  const refused = () =>
    pools()
      .filter((pool) => pool.refused > 0)
      .at(-1);
  const failed = expect(third).rejects.toThrow('no ACK');
  await expect.poll(refused, { timeout: 20_000 }).toMatchObject({ subnetId: 4, addresses: 2, given: 2 });
  await failed;
  subnet.pools.push({ start: '10.82.0.110', end: '10.82.0.111' });
  await apply(small);
  expect(JSON.parse(await lease('02:00:00:00:00:03')).address).toBe('10.82.0.110');
  await expect.poll(() => pools().at(-1), { timeout: 20_000 }).toMatchObject({ addresses: 4, given: 3 });
}, 60_000);

it('answers through a relay with addresses of the network behind it, and boots by its own address', async () => {
  const behind = structuredClone(snapshotOf('10.83.0', { sha256: '0'.repeat(64), size: 1 }).vlans[0]);
  const [subnet] = behind?.subnets ?? [];
  if (!behind || !subnet) throw new Error('no VLAN');
  const relayed = { ...behind, id: 2, dhcp: 'relay' as const, relayVlan: 1, subnets: [{ ...subnet, id: 5 }] };
  await apply([...base.vlans, relayed]);
  const ask = () => lan.run('relay', process.execPath, client, 'relayed', '10.82.0.1', '10.83.0.1');
  expect(JSON.parse(await ask())).toEqual({ address: '10.83.0.100', next: '10.82.0.1', file: 'undionly.kpxe' });
  await apply(base.vlans);
  await expect(ask()).rejects.toThrow('no offer');
}, 40_000);
