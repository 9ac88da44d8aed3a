import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PowerOutcome, PowerWork } from '@ingot/contract/rack.ts';
import { startTestBmc, TEST_USER, type TestBmc } from '@ingot/protocols/ipmi/bmc-testing.ts';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEvidenceQueue, type EvidenceQueue } from '../evidence/evidence.ts';
import { createIpmiDriver } from './ipmi-driver.ts';
import { openJournal } from './journal.ts';
import { createPowerWorker, type PowerWorker } from './worker.ts';

// What the rack tells the region when a BMC does not do its part. The driver's waits are shortened, their number is not.
const driver = createIpmiDriver({
  patience: { firstWaitMs: 40, tries: 4, deadlineMs: 2000 },
  control: { answerMs: 300, lookEveryMs: 50, lostAfterMs: 500 },
  retryWaitsMs: [100, 150, 200, 250],
});

let dir: string;
let worker: PowerWorker;
let evidence: EvidenceQueue;
let reports: Map<number, PowerOutcome>;
const bmcs: TestBmc[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ipmi-faults-'));
  reports = new Map();
  evidence = createEvidenceQueue();
  worker = createPowerWorker({
    journal: await openJournal(dir, Date.now),
    evidence,
    log: pino({ level: 'silent' }),
    report: (id, outcome) => void reports.set(id, outcome),
    drivers: [driver],
    softOffMs: 600,
  });
});
afterEach(async () => {
  await worker.stop();
  await Promise.all(bmcs.splice(0).map((bmc) => bmc.stop()));
  await rm(dir, { recursive: true });
});

async function start(options: Parameters<typeof startTestBmc>[0] = {}): Promise<TestBmc> {
  const bmc = await startTestBmc(options);
  bmcs.push(bmc);
  return bmc;
}

let nextId = 1;
async function order(
  bmc: Pick<TestBmc, 'address'>,
  action: PowerWork['action'],
  changes: { soft?: boolean; parameters?: Record<string, string> } = {},
): Promise<PowerOutcome> {
  const id = nextId;
  nextId += 1;
  worker.submit({
    id,
    kind: 'power',
    systemId: bmc.address,
    attempt: 3,
    generation: id,
    action,
    soft: changes.soft ?? false,
    bootFrom: 'network',
    firmware: 'uefi',
    powerType: 'ipmi',
    parameters: {
      power_address: bmc.address,
      power_user: TEST_USER.name,
      power_pass: TEST_USER.password,
      ...changes.parameters,
    },
  });
  await expect.poll(() => reports.get(id), { timeout: 15_000 }).toBeDefined();
  return reports.get(id) ?? { ok: false, class: 'fatal', message: 'no report' };
}
const notes = () => evidence.take(100).map(({ text }) => text);

describe('a BMC that is not reached', () => {
  /**
   * @fault The BMC answers nothing: no route, no cable, no power.
   * @sees power.connection: "Could not contact node's BMC: connection timeout", after four tries.
   * @ends The power order fails within its time; another BMC's order does not wait for it.
   */
  it('fails as connection, without holding up the others', async () => {
    const dead = await start({ faults: { silent: true } });
    const alive = await start();
    const late = order(dead, 'on');
    expect(await order(alive, 'on')).toEqual({ ok: true, state: 'on' });
    expect(worker.running()).toBe(1);
    expect(await late).toEqual({
      ok: false,
      class: 'connection',
      message: "Could not contact node's BMC: connection timeout",
    });
    expect(dead.controls).toEqual([]);
  });

  /**
   * @fault The BMC is away while a machine is to be switched on, and comes back during the tries.
   * @sees One line of evidence for each try that failed; then the power is on.
   * @ends The order ends well by itself; power on is sent once.
   */
  it('is reached when it comes back', async () => {
    const bmc = await start({ faults: { silent: true } });
    const done = order(bmc, 'on');
    await expect.poll(() => bmc.server.received()).toBeGreaterThan(4);
    bmc.faults = {};
    expect(await done).toEqual({ ok: true, state: 'on' });
    expect(bmc.controls).toEqual(['on']);
    expect(notes()).toContain("Could not contact node's BMC: connection timeout");
  });
});

describe('a login that is refused', () => {
  /**
   * @fault The password of the BMC is wrong.
   * @sees power.auth: "Could not authenticate to node's BMC: password invalid".
   * @ends The order fails at once, after a single login: no account is locked by repetition.
   */
  it('fails as auth after one login', async () => {
    const bmc = await start();
    const parameters = { power_pass: 'wrong', cipher_suite_id: '17' };
    expect(await order(bmc, 'on', { parameters })).toEqual({
      ok: false,
      class: 'auth',
      message: "Could not authenticate to node's BMC: password invalid",
    });
    // Capabilities, Open Session, RAKP 1.
    expect([bmc.server.received(), bmc.controls]).toEqual([3, []]);
    const broken = await start({ faults: { refusesLogin: true } });
    expect(await order(broken, 'query')).toMatchObject({ ok: false, class: 'auth' });
  });

  /**
   * @fault A K_g is written down for a BMC that has none, or none for a BMC that has one.
   * @sees Evidence "K_g was refused; trying without it", or power.auth: "… k_g invalid".
   * @ends Without need of the K_g the order goes on without it; else it fails at once and is not tried again.
   */
  it('goes on without a needless K_g, and names a missing one', async () => {
    const open = await start();
    expect(await order(open, 'on', { parameters: { k_g: 'needless' } })).toEqual({ ok: true, state: 'on' });
    expect(notes()).toContain('K_g was refused; trying without it');
    const guarded = await start({ kg: Buffer.from('bmc-key') });
    expect(await order(guarded, 'on')).toEqual({
      ok: false,
      class: 'auth',
      message: "Could not authenticate to node's BMC: k_g invalid",
    });
    expect(
      await order(guarded, 'on', {
        parameters: { k_g: `0x${Buffer.from('bmc-key').toString('hex').padEnd(40, '0')}` },
      }),
    ).toEqual({
      ok: true,
      state: 'on',
    });
  });

  /**
   * @fault The cipher suite that is written down is none of the BMC's.
   * @sees power.setting: "Missing or invalid power setting: cipher suite id unavailable".
   * @ends The order fails at once; with the suite left empty the best one of the BMC is taken.
   */
  it('names a suite that the BMC has not, and finds the right one when none is given', async () => {
    for (const [has, given] of [
      [17, '3'],
      [3, '17'],
    ] as const) {
      const bmc = await start({ suites: [has] });
      expect(await order(bmc, 'query', { parameters: { cipher_suite_id: given } })).toEqual({
        ok: false,
        class: 'setting',
        message: 'Missing or invalid power setting: cipher suite id unavailable',
      });
      expect(await order(bmc, 'query', { parameters: { cipher_suite_id: '' } })).toEqual({ ok: true, state: 'off' });
      expect(await order(bmc, 'query', { parameters: { cipher_suite_id: String(has) } })).toMatchObject({ ok: true });
    }
  });
});

describe('a BMC that lies', () => {
  /**
   * @fault The BMC says yes to every power command and does nothing.
   * @sees power.action: "BMC never transitioned from off to on" (or from on to off), a line of evidence for each try.
   * @ends The order fails after four tries, none longer than its wait; nothing is reported as done.
   */
  it.each([
    ['on', 'off'],
    ['off', 'on'],
  ] as const)('says yes to power %s and stays %s', async (action, state) => {
    const bmc = await start({ on: state === 'on', faults: { lies: 'deaf' } });
    expect(await order(bmc, action)).toEqual({
      ok: false,
      class: 'action',
      message: `Failed to complete power action: Failed to power ${action}. BMC never transitioned from ${state} to ${action}.`,
    });
    expect(notes().filter((text) => text.startsWith(`BMC accepted power ${action}`))).toHaveLength(4);
  });

  /**
   * @fault The BMC says "off" whatever is true, while the machine runs.
   * @sees Power on: power.action, "BMC never transitioned from off to on". A power query shows off.
   * @ends The order to switch on fails; the machine, which runs, is never switched off or reset by it.
   */
  it('says off of a running machine', async () => {
    const bmc = await start({ on: true, faults: { lies: 'off' } });
    expect(await order(bmc, 'query')).toEqual({ ok: true, state: 'off' });
    expect(await order(bmc, 'on')).toMatchObject({ ok: false, class: 'action' });
    expect(new Set(bmc.controls)).toEqual(new Set(['on']));
    expect(bmc.isOn()).toBe(true);
  });

  /**
   * @fault The BMC ignores the operating system's soft-off, or says it did it and did not.
   * @sees "the operating system did not switch off in … s: switching off hard", then off or power.action.
   * @ends A hard off follows after the time for the soft one; if that is no use either, the order fails.
   */
  it('says yes to a soft-off and does nothing', async () => {
    const bmc = await start({ on: true, faults: { lies: 'deaf' } });
    const done = order(bmc, 'off', { soft: true });
    await expect.poll(() => bmc.server.received(), { timeout: 5000 }).toBeGreaterThan(25);
    bmc.faults = {};
    expect(await done).toEqual({ ok: true, state: 'off' });
    expect(bmc.controls).toEqual(['off']);
    expect(notes()).toContain('the operating system did not switch off in 0.6 s: switching off hard');
  });
});

describe('a BMC that answers late', () => {
  /**
   * @fault On a busy host the BMC answers each power command late and would do a repeated one twice.
   * @sees Nothing but the time it takes.
   * @ends A power cycle is one off and one on, whether answers are late, lost, or the work itself is slow.
   */
  it.each([
    ['late', { faults: { forgetful: true, control: { delayMs: 250 } } }],
    ['lost', { faults: { forgetful: true, control: 'unanswered' } }],
    ['late for every question', { faults: { forgetful: true, delayMs: 90 } }],
    ['given after slow work', { faults: { forgetful: true }, controlTakesMs: 380 }],
  ] as const)('cycles once when answers are %s', async (_, options) => {
    const bmc = await start({ on: true, ...options });
    expect(await order(bmc, 'cycle')).toEqual({ ok: true, state: 'on' });
    expect(bmc.controls).toEqual(['off', 'on']);
  });

  it('asks for a soft-off once when its answer is lost, and waits for its effect', async () => {
    const bmc = await start({ on: true, faults: { forgetful: true, control: 'unanswered' } });
    expect(await order(bmc, 'off', { soft: true })).toEqual({ ok: true, state: 'off' });
    expect(bmc.controls).toEqual(['soft']);
  });
});
