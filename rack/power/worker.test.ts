import { createSocket } from 'node:dgram';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PowerOutcome, PowerWork } from '@ingot/contract/rack.ts';
import { CONTROL_PATIENCE } from '@ingot/protocols/ipmi/chassis.ts';
import { type IpmiSim, startIpmiSim } from '@ingot/protocols/ipmi/ipmi-sim.ts';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEvidenceQueue } from '../evidence/evidence.ts';
import type { PowerDriver } from './driver.ts';
import { createIpmiDriver, ipmiDriver } from './ipmi-driver.ts';
import { openJournal } from './journal.ts';
import { createPowerWorker, type PowerWorker } from './worker.ts';

let dir: string;
let sim: IpmiSim;
let reports: [number, PowerOutcome][];
const workers: PowerWorker[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'power-'));
  sim = await startIpmiSim();
  reports = [];
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await sim.stop();
  await rm(dir, { recursive: true });
});

const evidence = createEvidenceQueue();
async function startWorker(
  drivers: PowerDriver[] = [ipmiDriver],
  softOffMs = 1500,
  concurrency = 64,
): Promise<PowerWorker> {
  const journal = await openJournal(dir, Date.now);
  const log = pino({ level: 'silent' });
  const report = (id: number, outcome: PowerOutcome) => void reports.push([id, outcome]);
  const worker = createPowerWorker({ journal, evidence, log, report, drivers, softOffMs, concurrency });
  workers.push(worker);
  return worker;
}
function work(id: number, action: PowerWork['action'], changes: Partial<PowerWork> = {}): PowerWork {
  return {
    id,
    kind: 'power',
    systemId: 'abc123',
    attempt: 3,
    generation: id,
    action,
    soft: false,
    bootFrom: 'network',
    firmware: 'uefi',
    powerType: 'ipmi',
    parameters: { power_address: sim.address, power_user: sim.user, power_pass: sim.password },
    ...changes,
  };
}
const powerLog = async () => (await sim.log()).filter((line) => line.startsWith('set power'));

it('switches a machine on with the boot device armed, once for one id, and remembers until acknowledged', async () => {
  const worker = await startWorker();
  worker.submit(work(1, 'on'));
  worker.submit(work(1, 'on'));
  await expect.poll(() => reports).toEqual([[1, { ok: true, state: 'on' }]]);
  expect(await sim.log()).toEqual(['set boot pxe', 'set power 1']);
  worker.submit(work(1, 'on'));
  expect(reports).toHaveLength(2);
  expect(worker.unacknowledged()).toEqual([{ id: 1, outcome: { ok: true, state: 'on' } }]);

  const next = await startWorker();
  expect(next.unacknowledged()).toEqual([{ id: 1, outcome: { ok: true, state: 'on' } }]);
  next.submit(work(1, 'on'));
  next.acknowledge(1);
  expect(next.unacknowledged()).toEqual([]);
  await expect.poll(() => readdir(dir)).toEqual([]);
  expect(await powerLog()).toEqual(['set power 1']);
});

it('a hall of silent BMCs keeps no other machine waiting', async () => {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  const driver = createIpmiDriver({
    patience: { firstWaitMs: 30_000, tries: 1, deadlineMs: 30_000 },
    control: CONTROL_PATIENCE,
    retryWaitsMs: [0],
  });
  const worker = await startWorker([driver], 1500, 16);
  const dead = { power_address: `127.0.0.1:${silent.address().port}`, power_user: 'x', power_pass: 'y' };
  // Twice as many as there are places.
  for (let id = 1; id <= 32; id++) worker.submit(work(id, 'query', { systemId: `dead${id}`, parameters: dead }));
  worker.submit(work(200, 'query'));
  try {
    await expect.poll(() => reports, { timeout: 20_000 }).toEqual([[200, { ok: true, state: 'off' }]]);
    expect(worker.running()).toBe(32);
  } finally {
    silent.close();
  }
});

it('cycles, switches off softly, and writes no secret down', async () => {
  const worker = await startWorker();
  await sim.setPower('on');
  worker.submit(work(1, 'cycle', { bootFrom: 'disk' }));
  await expect.poll(() => reports.length).toBe(1);
  expect(await sim.log()).toEqual(['set power 0', 'set boot default', 'set power 1']);
  worker.submit(work(2, 'off', { soft: true }));
  await expect.poll(() => reports.length).toBe(2);
  expect(await sim.power()).toBe('off');
  worker.submit(work(3, 'query'));
  await expect.poll(() => reports.at(-1)).toEqual([3, { ok: true, state: 'off' }]);
  const written = await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name), 'utf8')));
  expect(written).toHaveLength(2);
  expect(JSON.stringify([written, evidence.take(100)])).not.toContain(sim.password);
});

/**
 * @fault The rack is killed with -9 before or after its call to the BMC.
 * @sees Nothing but the time it takes.
 * @ends The journal tells what was begun: the BMC is looked at, and not told twice.
 */
it.each(['before', 'after'] as const)(
  'makes one cycle of it when the rack dies %s the BMC answered "on"',
  async (moment) => {
    await sim.setPower('on');
    let called = false;
    const hanging: PowerDriver = {
      ...ipmiDriver,
      on: async (parameters, boot, call) => {
        if (moment === 'after') await ipmiDriver.on(parameters, boot, call);
        called = true;
        // The process is gone: nothing after this happens.
        return await new Promise<never>(() => undefined);
      },
    };
    const dead = await startWorker([hanging]);
    workers.pop();
    dead.submit(work(7, 'cycle'));
    await expect.poll(() => called).toBe(true);
    const worker = await startWorker();
    worker.submit(work(7, 'cycle'));
    await expect.poll(() => reports).toEqual([[7, { ok: true, state: 'on' }]]);
    expect(await powerLog()).toEqual(['set power 0', 'set power 1']);
  },
);

it('gives the classes of failures to the region, and drops an order when a newer one comes', async () => {
  const worker = await startWorker();
  worker.submit(
    work(1, 'query', { parameters: { power_address: sim.address, power_user: sim.user, power_pass: 'x' } }),
  );
  await expect
    .poll(() => reports[0])
    .toEqual([1, { ok: false, class: 'auth', message: "Could not authenticate to node's BMC: password invalid" }]);
  worker.submit(work(2, 'query', { powerType: 'abacus' }));
  await expect.poll(() => reports[1]?.[1]).toMatchObject({ class: 'setting' });
  const silent = { power_address: '127.0.0.1:9', power_user: 'u', power_pass: 'p' };
  worker.submit(work(3, 'on', { parameters: silent }));
  worker.submit(work(4, 'off'));
  await expect
    .poll(() => reports.slice(2))
    .toMatchObject([
      [3, { ok: false, class: 'action' }],
      [4, { ok: true, state: 'off' }],
    ]);
});

/**
 * @fault The journal of the rack was cut short or damaged by a crash.
 * @sees Nothing; what cannot be read is left aside.
 * @ends The rack starts and takes orders.
 */
it('starts with whatever is in its directory', async () => {
  await writeFile(join(dir, '5.json'), '{"half":');
  await writeFile(join(dir, '6.json.new'), 'left over');
  const worker = await startWorker();
  expect(worker.unacknowledged()).toEqual([]);
  expect(await readdir(dir)).toEqual([]);
});
