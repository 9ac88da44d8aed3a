import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { createChance, malform } from './bmc-faults.ts';
import { startTestBmc, type TestBmc, targetOf } from './bmc-testing.ts';
import { chassisControl, chassisStatus } from './chassis.ts';
import { IpmiFailure } from './failure.ts';
import { withSession } from './session.ts';
import { CIPHER_SUITES } from './suite.ts';

const bmcs: TestBmc[] = [];
afterEach(async () => {
  await Promise.all(bmcs.splice(0).map((bmc) => bmc.stop()));
});

const patience = { firstWaitMs: 15, tries: 4, deadlineMs: 1500 };
/** Seeds that are run each time; one that ever failed is added. */
const SEEDS = Array.from({ length: 45 }, (_, i) => i + 1);

/**
 * @fault A BMC sends answers that are cut, altered, 60 kB long, or rubbish.
 * @sees "Could not contact node's BMC: connection timeout (… no IPMI packets)", or what its altered answer says; power.connection.
 * @ends Within the deadline of the session, by the right answer or a named failure; the rack goes on.
 */
it('ends with the truth or a named failure whatever a BMC sends, in bounded time, seeds kept', async () => {
  const ends = new Map<string, number>();
  for (const seed of SEEDS) {
    const malformed = [0.2, 0.5, 1][seed % 3] ?? 1;
    const bmc = await startTestBmc({ seed, on: true, faults: { malformed } });
    bmcs.push(bmc);
    const started = performance.now();
    const suite = CIPHER_SUITES[seed % 2] ?? 'best';
    const end = await withSession(
      targetOf(bmc, { suite: seed % 4 < 2 ? suite : 'best' }),
      async (session) => {
        await chassisControl(session, 'off', { answerMs: 40, lookEveryMs: 20, lostAfterMs: 80 });
        return (await chassisStatus(session)).on;
      },
      patience,
    ).catch((error: unknown) => {
      if (error instanceof IpmiFailure) return error.failure;
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    });
    // Two packets of farewell may come after the deadline.
    expect([seed, performance.now() - started < patience.deadlineMs + 500]).toEqual([seed, true]);
    expect([seed, end]).not.toEqual([seed, true]);
    if (end === false) expect(bmc.controls).toEqual(['off']);
    ends.set(String(end), (ends.get(String(end)) ?? 0) + 1);
  }
  // The seeds reach both kinds of ends.
  expect(ends.get('false')).toBeGreaterThan(5);
  expect(ends.get('connection')).toBeGreaterThan(5);
}, 120_000);

it('says that answers came but were none', async () => {
  const noise = createSocket('udp4');
  const chance = createChance(7);
  noise.on('message', (_, from) => noise.send(malform(Buffer.alloc(40, 0xee), chance), from.port, from.address));
  await new Promise<void>((resolve) => noise.bind(0, '127.0.0.1', resolve));
  const bmc = await startTestBmc();
  bmcs.push(bmc);
  const target = { ...targetOf(bmc), port: noise.address().port };
  await expect(withSession(target, chassisStatus, patience)).rejects.toMatchObject({
    failure: 'connection',
    message: 'connection timeout (4 answers were no IPMI packets)',
  });
  await new Promise<void>((resolve) => noise.close(() => resolve()));
});

describe('a BMC under fire', () => {
  it('serves its clients between thousands of malformed requests', async () => {
    const bmc = await startTestBmc();
    bmcs.push(bmc);
    const chance = createChance(3);
    const socket = createSocket('udp4');
    const open = Buffer.from(`0600ff07061000000000000000002000${'00'.repeat(32)}`, 'hex');
    for (let i = 0; i < 3000; i++) {
      socket.send(malform(open, chance), bmc.server.port, '127.0.0.1');
      // Both ends live in this process: the other one must get its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await withSession(targetOf(bmc), chassisStatus)).on).toBe(false);
    expect(bmc.server.received()).toBeGreaterThan(1000);
    socket.close();
  });
});
