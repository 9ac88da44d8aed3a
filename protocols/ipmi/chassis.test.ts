import { afterEach, describe, expect, it } from 'vitest';
import type { BmcFaults } from './bmc-faults.ts';
import { startTestBmc, type TestBmc, targetOf } from './bmc-testing.ts';
import { type ChassisControl, type ControlPatience, chassisControl, chassisStatus } from './chassis.ts';
import { IpmiFailure } from './failure.ts';
import { withSession } from './session.ts';

// The BMCs here forget, as Debian's ipmi_sim does: whatever comes twice is done twice.
const forgetful: BmcFaults = { forgetful: true };
const bmcs: TestBmc[] = [];
afterEach(async () => {
  await Promise.all(bmcs.splice(0).map((bmc) => bmc.stop()));
});
async function start(options: Parameters<typeof startTestBmc>[0]): Promise<TestBmc> {
  const bmc = await startTestBmc(options);
  bmcs.push(bmc);
  return bmc;
}

/** A tenth of what the driver waits, so that ten times slower BMCs are tried. */
const patience = { firstWaitMs: 50, tries: 5, deadlineMs: 8000 };
const tenth: ControlPatience = { answerMs: 300, lookEveryMs: 70, lostAfterMs: 700 };
const control = (bmc: TestBmc, action: ChassisControl) =>
  withSession(targetOf(bmc), (session) => chassisControl(session, action, tenth), patience).catch((error: unknown) => {
    if (error instanceof IpmiFailure) return `${error.failure}: ${error.message}`;
    throw error;
  });

const before = { on: false, off: true, cycle: true, reset: true, soft: true };
const ACTIONS = ['on', 'off', 'cycle', 'reset', 'soft'] as const;

describe('a chassis control is done once', () => {
  /**
   * @fault The BMC of a busy host answers a power command seconds late, and does every repeated command again.
   * @sees Nothing but the time it takes: "BMC accepted power on".
   * @ends The command was sent once and is done once, power cycle too; its late answer is taken.
   */
  it.each(ACTIONS)('%s is answered 0.2 s late, where requests are repeated after 0.05 s', async (action) => {
    const bmc = await start({ on: before[action], faults: { ...forgetful, control: { delayMs: 200 } } });
    expect(await control(bmc, action)).toBe('accepted');
    expect(bmc.controls).toEqual([action]);
  });

  it.each(ACTIONS)('%s is done and answered 0.45 s late, after the power was looked at', async (action) => {
    const bmc = await start({ on: before[action], faults: forgetful, controlTakesMs: 450 });
    // Nothing more than the power can be seen of a soft-off.
    expect(await control(bmc, action)).toBe(action === 'soft' ? 'unanswered' : 'accepted');
    await expect.poll(() => bmc.isOn()).toBe(action !== 'off' && action !== 'soft');
    expect(bmc.controls).toEqual([action]);
  });

  /**
   * @fault The BMC does a power command but its answer never comes.
   * @sees "BMC did not answer to power on, but has done it" in the timeline.
   * @ends The power is looked at and found as wanted; the command is not repeated.
   */
  it.each(['on', 'off'] as const)('%s is never answered', async (action) => {
    const bmc = await start({ on: before[action], faults: { ...forgetful, control: 'unanswered' } });
    expect(await control(bmc, action)).toBe('seen');
    expect(bmc.controls).toEqual([action]);
  });

  it.each(['cycle', 'reset'] as const)('%s is never answered: nobody can see whether it was done', async (action) => {
    const bmc = await start({ on: true, faults: { ...forgetful, control: 'unanswered' } });
    expect(await control(bmc, action)).toBe(
      `connection: no answer (chassis control: ${action}); not repeated, as it may have been done`,
    );
    expect(bmc.controls).toEqual([action]);
  });

  it('every answer is late', async () => {
    const bmc = await start({ faults: { delayMs: 120, forgetful: true } });
    expect(await control(bmc, 'on')).toBe('accepted');
    expect(bmc.controls).toEqual(['on']);
  });

  it('the answer is a refusal, and comes late', async () => {
    const bmc = await start({ on: false, faults: { ...forgetful, control: { delayMs: 400 } } });
    expect(await control(bmc, 'cycle')).toBe('action: not supported in the present state (chassis control: cycle)');
    expect(bmc.controls).toEqual([]);
  });
});

it('a BMC that remembers answers a repeated request without doing it again', async () => {
  const bmc = await start({ controlTakesMs: 300 });
  // As other clients do: the same request again and again until an answer comes.
  await withSession(targetOf(bmc), (session) => session.request(0, 0x02, Buffer.from([1]), 'power on'), patience);
  expect(bmc.controls).toEqual(['on']);
  const forgets = await start({ controlTakesMs: 300, faults: forgetful });
  await withSession(targetOf(forgets), (session) => session.request(0, 0x02, Buffer.from([1]), 'power on'), patience);
  expect(forgets.controls.length).toBeGreaterThan(1);
});

/**
 * @fault Two packets in ten between rack and BMC are lost, each way.
 * @sees Nothing but the time it takes.
 * @ends The answer comes by repeated questions; no power command is done twice.
 */
it('gets through where packets are lost, seeds 1 to 10, and does nothing twice', async () => {
  const patient = { firstWaitMs: 20, tries: 6, deadlineMs: 10_000 };
  const quick = { answerMs: 60, lookEveryMs: 20, lostAfterMs: 120 };
  let packets = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const bmc = await start({ seed, faults: { ...forgetful, loss: 0.2 } });
    // As the driver does: whoever tries again looks first.
    const switchOn = () =>
      withSession(
        targetOf(bmc),
        async (session) => ((await chassisStatus(session)).on ? 'already' : await chassisControl(session, 'on', quick)),
        patient,
      ).catch((error: unknown) => {
        if (error instanceof IpmiFailure && error.failure === 'connection') return null;
        throw error;
      });
    let end: string | null = null;
    for (let tries = 0; tries < 5 && end === null; tries++) end = await switchOn();
    expect([seed, end === null, bmc.controls]).toEqual([seed, false, ['on']]);
    packets += bmc.server.received();
  }
  // Nine questions each where nothing is lost.
  expect(packets).toBeGreaterThan(10 * 12);
}, 60_000);
