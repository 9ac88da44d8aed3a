import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SnapshotVlan } from '@ingot/contract/rack.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HostAddress } from '../network/interfaces.ts';
import { createTestSegment, type TestSegment } from '../testing/segment.ts';
import { type Kea, openKea } from './kea.ts';
import { renderKeaConfig } from './kea-config.ts';

// INGOT_FAULT_RUNS=20 for a longer one; INGOT_FAULT_SEED for another one of the same kind.
const KILLS = Math.min(50, Number(process.env.INGOT_FAULT_RUNS ?? 3));
const SEED = Number(process.env.INGOT_FAULT_SEED ?? 20260307);
const MACHINES = 40;
const BACK_LIMIT_MS = 60_000;
const run = promisify(execFile);
const client = new URL('../testdata/dhcp-client.mjs', import.meta.url).pathname;
const host: HostAddress = { interface: 'eth0', mac: '02:00:00:00:00:02', address: '10.78.0.1', cidr: '10.78.0.1/24' };
const vlan: SnapshotVlan = {
  id: 5,
  vid: 0,
  name: 'untagged',
  dhcp: 'on',
  mtu: 1500,
  subnets: [
    {
      id: 3,
      cidr: '10.78.0.0/24',
      gateway: null,
      dnsServers: [],
      pools: [{ start: '10.78.0.100', end: '10.78.0.200' }],
      reservations: [],
    },
  ],
};

let segment: TestSegment;
let dir: string;
let kea: Kea;
beforeAll(async () => {
  segment = await createTestSegment('10.78.0.1/24');
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
}, BACK_LIMIT_MS);
afterAll(async () => {
  await kea?.stop();
  await segment?.remove();
  if (dir) await rm(dir, { recursive: true });
});

/** Numbers from 0 to 1 that the seed says (a Lehmer generator). */
function numbersFrom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/**
 * @fault Kea is killed with -9 at seeded random moments while forty machines ask for addresses without a pause.
 * @sees DISCOVERs go unanswered for a moment; the rack says that Kea died.
 * @ends The rack starts it again, every machine is answered again and gets the address that it was given before.
 */
it(
  'keeps every lease that it acknowledged, however often Kea is killed under load',
  async () => {
    const config = renderKeaConfig({ vlans: [{ vlan, host }], relayed: [] }, kea.paths, 5248);
    // On a busy host the probe's own program may come too late for the one second that a DISCOVER is waited for.
    const applied = () => kea.apply(config, [host.address]);
    await expect.poll(applied, { timeout: BACK_LIMIT_MS }).toMatchObject({ ok: true });
    const [command = '', ...args] = [...segment.inMachine, process.execPath, client, 'many', String(MACHINES)];
    const machines = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const given = new Map<string, Set<string>>();
    let answered = new Set<string>();
    createInterface({ input: machines.stdout }).on('line', (line) => {
      const [, machine = '', address = ''] = line.split(' ');
      given.set(machine, (given.get(machine) ?? new Set()).add(address));
      answered.add(machine);
    });
    const allAnswered = () => expect.poll(() => answered.size, { timeout: BACK_LIMIT_MS, interval: 50 }).toBe(MACHINES);
    try {
      const next = numbersFrom(SEED);
      for (let kill = 1; kill <= KILLS; kill += 1) {
        // Also in the middle of the first round, when most are new to it.
        await sleep(next() * 800);
        const pid = Number(await readFile(join(dir, 'dhcp4.kea-dhcp4.pid'), 'utf8'));
        process.kill(pid, 'SIGKILL');
        await expect.poll(() => kea.health().ok, { timeout: BACK_LIMIT_MS, interval: 10 }).toBe(false);
        await expect.poll(() => kea.health(), { timeout: BACK_LIMIT_MS }).toEqual({ ok: true, detail: 'serving' });
        answered = new Set();
        await allAnswered();
      }
    } finally {
      machines.kill('SIGKILL');
    }
    const addresses = [...given.values()].map((seen) => [...seen]);
    expect(addresses.filter((seen) => seen.length !== 1)).toEqual([]);
    expect(new Set(addresses.flat()).size).toBe(MACHINES);
  },
  BACK_LIMIT_MS * (KILLS + 1),
);
