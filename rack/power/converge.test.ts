import type { PowerWork } from '@ingot/contract/rack.ts';
import { IPMI } from '@ingot/core/power/ipmi.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConvergeOptions, convergePower, type PowerStep } from './converge.ts';
import { type PowerDriver, PowerFailure } from './driver.ts';
import { ipmiTarget } from './ipmi-target.ts';
import { manualDriver } from './manual-driver.ts';

const work: PowerWork = {
  id: 1,
  kind: 'power',
  systemId: 'abc123',
  attempt: 1,
  generation: 1,
  action: 'on',
  soft: false,
  bootFrom: 'network',
  firmware: 'auto',
  powerType: 'ipmi',
  parameters: {},
};

/** A BMC in virtual time: obeys after `delayMs`, answers its first `silent` calls with a lost connection. */
function fakeBmc(
  start: 'on' | 'off',
  given: { delayMs?: number; silent?: number; deafToSoft?: boolean; dead?: boolean } = {},
) {
  let clock = 0;
  let state = start;
  let change: { at: number; to: 'on' | 'off' } | null = null;
  let silent = given.silent ?? 0;
  const calls: string[] = [];
  const settle = () => {
    if (change && clock >= change.at) {
      state = change.to;
      change = null;
    }
  };
  const answer = () => {
    settle();
    silent -= 1;
    if (given.dead || silent >= 0) throw new PowerFailure('connection', 'connection timeout');
  };
  const turn = (to: 'on' | 'off') => {
    change = { at: clock + (given.delayMs ?? 0), to };
    settle();
  };
  const driver: PowerDriver = {
    schema: IPMI,
    retryWaitsMs: [4000, 8000, 16_000, 32_000],
    query: async () => {
      answer();
      return state;
    },
    on: async () => {
      answer();
      if (state === 'on') return 'already';
      calls.push('on');
      turn('on');
      return 'sent';
    },
    off: async (_parameters, soft) => {
      answer();
      if (state === 'off') return 'already';
      calls.push(soft ? 'soft' : 'off');
      if (!soft || !given.deafToSoft) turn('off');
      return 'sent';
    },
  };
  const steps: PowerStep[] = [];
  const options: ConvergeOptions = {
    sleep: async (ms) => {
      clock += ms;
    },
    now: () => clock,
    mark: async (step) => void steps.push(step),
    resumeAt: null,
    softOffMs: 60_000,
  };
  return { driver, options, calls, steps, clock: () => clock };
}
const call = { signal: new AbortController().signal, note: () => undefined, systemId: '4y3h7n' };

describe('power convergence', () => {
  it('leaves a running machine alone when it is to be on', async () => {
    const bmc = fakeBmc('on');
    expect(await convergePower(work, bmc.driver, call, bmc.options)).toEqual({ ok: true, state: 'on' });
    expect([bmc.calls, bmc.clock()]).toEqual([[], 0]);
  });

  it('waits not at all for a BMC that obeys at once, and looks again soon for one that takes a second', async () => {
    const quick = fakeBmc('off');
    await convergePower(work, quick.driver, call, quick.options);
    expect(quick.clock()).toBe(0);
    const slow = fakeBmc('on', { delayMs: 1000 });
    expect(await convergePower({ ...work, action: 'cycle' }, slow.driver, call, slow.options)).toEqual({
      ok: true,
      state: 'on',
    });
    expect([slow.calls, slow.steps]).toEqual([
      ['off', 'on'],
      ['off', 'on'],
    ]);
    expect(slow.clock()).toBeLessThan(3000);
  });

  it('cycles a machine that is off by switching it on', async () => {
    const bmc = fakeBmc('off');
    expect(await convergePower({ ...work, action: 'cycle' }, bmc.driver, call, bmc.options)).toEqual({
      ok: true,
      state: 'on',
    });
    expect(bmc.calls).toEqual(['on']);
  });

  it('asks softly where the BMC is always to be asked so', async () => {
    const bmc = fakeBmc('on');
    const off: PowerWork = { ...work, action: 'off', parameters: { power_off_mode: 'soft' } };
    expect(await convergePower(off, bmc.driver, call, bmc.options)).toEqual({ ok: true, state: 'off' });
    expect(bmc.calls).toEqual(['soft']);
  });

  it('falls back to a hard off after the soft one had its minute', async () => {
    const bmc = fakeBmc('on', { deafToSoft: true });
    const soft: PowerWork = { ...work, action: 'off', soft: true };
    expect(await convergePower(soft, bmc.driver, call, bmc.options)).toEqual({ ok: true, state: 'off' });
    expect(bmc.calls).toEqual(['soft', 'off']);
    expect(bmc.clock()).toBe(60_000);
    const polite = fakeBmc('on', { delayMs: 5000 });
    await convergePower(soft, polite.driver, call, polite.options);
    expect(polite.calls).toEqual(['soft']);
  });

  it('tries again on silence, and names the class when it gives up', async () => {
    const shy = fakeBmc('off', { silent: 2 });
    expect(await convergePower(work, shy.driver, call, shy.options)).toEqual({ ok: true, state: 'on' });
    const dead = fakeBmc('off', { dead: true });
    expect(await convergePower({ ...work, action: 'query' }, dead.driver, call, dead.options)).toEqual({
      ok: false,
      class: 'connection',
      message: "Could not contact node's BMC: connection timeout",
    });
    const stuck = fakeBmc('off', { delayMs: 1e9 });
    expect(await convergePower(work, stuck.driver, call, stuck.options)).toMatchObject({
      ok: false,
      class: 'action',
      message: expect.stringContaining('BMC never transitioned from off to on.'),
    });
  });

  it('does not try again with a wrong password', async () => {
    const bmc = fakeBmc('off');
    let tries = 0;
    const driver = {
      ...bmc.driver,
      on: async () => {
        tries += 1;
        throw new PowerFailure('auth', 'password invalid');
      },
    };
    expect(await convergePower(work, driver, call, bmc.options)).toMatchObject({ ok: false, class: 'auth' });
    expect(tries).toBe(1);
  });

  it('never knows the state of a machine without a BMC', async () => {
    const { options } = fakeBmc('off');
    for (const action of ['on', 'off', 'cycle', 'query'] as const) {
      expect(await convergePower({ ...work, action }, manualDriver, call, options)).toEqual({
        ok: true,
        state: 'unknown',
      });
    }
  });

  it('makes at most one cycle, wherever it is interrupted and taken up again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('on' as const, 'off' as const),
        fc.nat(12),
        fc.nat(3000),
        async (start, cut, delayMs) => {
          const bmc = fakeBmc(start, { delayMs });
          let left = cut;
          const cutShort = () => {
            left -= 1;
            if (left < 0) throw new Error('killed');
          };
          // The process may die before or after any call, mark or wait.
          const around = async <T>(act: () => Promise<T>): Promise<T> => {
            cutShort();
            const result = await act();
            cutShort();
            return result;
          };
          const { driver, options } = bmc;
          const mortal: PowerDriver = {
            ...driver,
            query: (p, c) => around(() => driver.query(p, c)),
            on: (p, b, c) => around(() => driver.on(p, b, c)),
            off: (p, s, c) => around(() => driver.off(p, s, c)),
          };
          const cycle: PowerWork = { ...work, action: 'cycle' };
          await convergePower(cycle, mortal, call, { ...options, mark: (step) => around(() => options.mark(step)) });
          const resumed = { ...options, resumeAt: bmc.steps.at(-1) ?? null };
          expect(await convergePower(cycle, driver, call, resumed)).toEqual({ ok: true, state: 'on' });
          expect(bmc.calls.filter((each) => each === 'on').length).toBeLessThanOrEqual(delayMs > 0 ? 2 : 1);
          // Off is only ever sent before the first on.
          expect(bmc.calls.lastIndexOf('off')).toBeLessThan(
            bmc.calls.indexOf('on') < 0 ? Number.POSITIVE_INFINITY : bmc.calls.indexOf('on'),
          );
          if (start === 'on') expect(bmc.calls).toContain('off');
        },
      ),
    );
  });
});

describe('ipmi parameters', () => {
  it('takes the names and defaults of MAAS', async () => {
    const target = await ipmiTarget({
      power_address: '10.0.0.5:9001',
      power_user: 'u',
      power_pass: ' p ',
      k_g: `0x${'0a'.repeat(20)}`,
    });
    expect(target).toMatchObject({
      host: '10.0.0.5',
      port: 9001,
      password: ' p ',
      privilege: 'OPERATOR',
      opensesspriv: true,
    });
    expect([target.suite, target.kg?.length]).toEqual(['best', 20]);
    const chosen = await ipmiTarget({ power_address: 'a', cipher_suite_id: '17' });
    expect(chosen.suite).toMatchObject({ id: 17, hash: 'sha256' });
  });
  it.each([
    [{}, 'power_address'],
    [{ power_address: 'not an address' }, 'power_address'],
    [{ power_address: 'a', cipher_suite_id: '8' }, 'cipher_suite_id'],
    [{ power_address: 'a', privilege_level: 'ROOT' }, 'privilege_level'],
    [{ power_address: 'a', k_g: 'x'.repeat(21) }, 'k_g'],
    [{ power_address: 'a', power_driver: 'LAN' }, 'power_driver'],
  ])('names the wrong one in %j', async (parameters, name) => {
    await expect(ipmiTarget(parameters as Record<string, string>)).rejects.toMatchObject({
      failure: 'setting',
      message: expect.stringContaining(name),
    });
  });
});
