import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chassisControl, chassisStatus, setBootDeviceOnce } from './chassis.ts';
import { IpmiFailure } from './failure.ts';
import { type IpmiSim, startIpmiSim } from './ipmi-sim.ts';
import { type IpmiTarget, withSession } from './session.ts';
import { cipherSuite } from './suite.ts';

const run = promisify(execFile);
const suite3 = cipherSuite(3);
if (suite3 === null) throw new Error('suite 3');

function targetOf(sim: IpmiSim, changes: Partial<IpmiTarget> = {}): IpmiTarget {
  return {
    host: sim.host,
    port: sim.port,
    user: sim.user,
    password: sim.password,
    kg: null,
    suite: suite3 as NonNullable<typeof suite3>,
    privilege: 'OPERATOR',
    opensesspriv: true,
    authcap: false,
    idzero: false,
    ignoreChecksums: false,
    ...changes,
  };
}
const quick = { firstWaitMs: 300, tries: 3, deadlineMs: 5000 };
const failureOf = (target: IpmiTarget) =>
  withSession(target, chassisStatus, quick).then(
    () => 'no failure',
    (error: unknown) => (error instanceof IpmiFailure ? `${error.failure}: ${error.message}` : String(error)),
  );

async function ipmitool(sim: IpmiSim, ...args: string[]): Promise<string> {
  const login = [
    '-I',
    'lanplus',
    '-C',
    '3',
    '-H',
    sim.host,
    '-p',
    String(sim.port),
    '-U',
    sim.user,
    '-P',
    sim.password,
  ];
  return (await run('ipmitool', [...login, '-L', 'OPERATOR', ...args], { timeout: 20_000 })).stdout.trim();
}

describe("against Debian's ipmi_sim", () => {
  let sim: IpmiSim;
  beforeAll(async () => {
    sim = await startIpmiSim();
  });
  afterAll(async () => await sim.stop());

  it('sees and changes power as ipmitool does', async () => {
    const target = targetOf(sim);
    for (const [action, on] of [
      ['on', true],
      ['off', false],
    ] as const) {
      await withSession(target, (session) => chassisControl(session, action));
      expect((await withSession(target, chassisStatus)).on).toBe(on);
      expect(await ipmitool(sim, 'chassis', 'power', 'status')).toBe(`Chassis Power is ${on ? 'on' : 'off'}`);
    }
    await ipmitool(sim, 'chassis', 'power', 'on');
    expect(await withSession(target, chassisStatus)).toEqual({
      on: true,
      overload: false,
      interlock: false,
      powerFault: false,
      controlFault: false,
    });
    await withSession(target, (session) => chassisControl(session, 'reset'));
    await withSession(target, (session) => chassisControl(session, 'soft'));
    expect((await sim.log()).slice(-2)).toEqual(['set reset 1', 'set shutdown 1']);
  });

  it('arms network and disk for one boot, legacy and EFI', async () => {
    const before = (await sim.log()).length;
    for (const efi of [false, true]) {
      await withSession(targetOf(sim), async (session) => {
        await setBootDeviceOnce(session, { device: 'pxe', efi });
        await setBootDeviceOnce(session, { device: 'disk', efi });
      });
    }
    expect((await sim.log()).slice(before)).toEqual(['pxe', 'default', 'pxe', 'default'].map((d) => `set boot ${d}`));
    expect(await ipmitool(sim, 'chassis', 'bootparam', 'get', '5')).toContain('Force Boot from default Hard-Drive');
  });

  it('names what is wrong, by class', async () => {
    expect(await failureOf(targetOf(sim, { password: 'wrong' }))).toBe('auth: password invalid');
    expect(await failureOf(targetOf(sim, { user: 'nobody' }))).toBe('auth: username invalid');
    expect(await failureOf(targetOf(sim, { kg: Buffer.from('unasked') }))).toBe('auth: k_g invalid');
    const suite17 = cipherSuite(17);
    if (suite17)
      expect(await failureOf(targetOf(sim, { suite: suite17 }))).toBe('setting: cipher suite id unavailable');
    expect(await failureOf(targetOf(sim, { user: 'a'.repeat(17) }))).toBe('setting: username is longer than 16 bytes');
    expect(await failureOf(targetOf(sim, { host: 'no-such-host.invalid' }))).toMatch(/^connection: hostname invalid/);
  });

  it('leaves no session behind: 40 sessions one after another where 10 are allowed', async () => {
    for (let i = 0; i < 40; i++) await withSession(targetOf(sim), chassisStatus);
    for (let i = 0; i < 12; i++) {
      await expect(withSession(targetOf(sim), () => Promise.reject(new Error('caller failed')))).rejects.toThrow(
        'caller failed',
      );
    }
    expect((await withSession(targetOf(sim), chassisStatus)).on).toBeTypeOf('boolean');
  });

  it('gets through when every third packet is lost', async () => {
    const lossy = await startLossyProxy(sim.port);
    const patience = { firstWaitMs: 100, tries: 6, deadlineMs: 10_000 };
    const status = await withSession(targetOf(sim, { port: lossy.port }), chassisStatus, patience);
    expect(status.on).toBeTypeOf('boolean');
    expect(lossy.lost()).toBeGreaterThan(2);
    lossy.close();
  }, 15_000);
});

it('works with a K_g', async () => {
  const sim = await startIpmiSim({ kg: 'a-bmc-key' });
  try {
    expect((await withSession(targetOf(sim, { kg: Buffer.from('a-bmc-key') }), chassisStatus)).on).toBe(false);
    expect(await failureOf(targetOf(sim, { kg: Buffer.from('other') }))).toBe('auth: k_g invalid');
  } finally {
    await sim.stop();
  }
});

/**
 * @fault The BMC of the lab, Debian's ipmi_sim, is busy for 1.2 s with switching on, and does every repeated command again.
 * @sees Nothing but the time it takes.
 * @ends Its log shows one "set power 1": the client waits where it used to repeat after half a second.
 */
it('switches on once where ipmi_sim is busy', async () => {
  const sim = await startIpmiSim({ busySeconds: 1.2 });
  try {
    expect(await withSession(targetOf(sim), (session) => chassisControl(session, 'on'))).toBe('accepted');
    // A command that was waiting in its queue would be done by now.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await sim.log()).filter((line) => line.startsWith('set power'))).toEqual(['set power 1']);
  } finally {
    await sim.stop();
  }
});

it('gives a silent and a closed port up in bounded time', async () => {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  const sim = { host: '127.0.0.1', port: silent.address().port, user: 'u', password: 'p' } as IpmiSim;
  const started = performance.now();
  expect(await failureOf(targetOf(sim))).toBe('connection: connection timeout');
  expect(performance.now() - started).toBeLessThan(3000);
  await new Promise<void>((resolve) => silent.close(() => resolve()));
  expect(await failureOf(targetOf(sim))).toMatch(/^connection: connection refused/);
});

/** Drops every third packet in each direction. */
async function startLossyProxy(port: number) {
  const front = createSocket('udp4');
  const back = createSocket('udp4');
  let client = 0;
  let lost = 0;
  let count = 0;
  const drops = () => {
    count += 1;
    if (count % 3 !== 0) return false;
    lost += 1;
    return true;
  };
  front.on('message', (bytes, from) => {
    client = from.port;
    if (!drops()) back.send(bytes, port, '127.0.0.1');
  });
  back.on('message', (bytes) => {
    if (!drops()) front.send(bytes, client, '127.0.0.1');
  });
  await new Promise<void>((resolve) => front.bind(0, '127.0.0.1', resolve));
  const close = () => {
    front.close();
    back.close();
  };
  return { port: front.address().port, lost: () => lost, close };
}
