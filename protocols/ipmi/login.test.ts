import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTestBmc, TEST_USER, type TestBmc, targetOf } from './bmc-testing.ts';
import { chassisControl, chassisStatus, setBootDeviceOnce } from './chassis.ts';
import { decodeCipherList, encodeCipherList, suitesToTry } from './cipher-list.ts';
import { IpmiFailure } from './failure.ts';
import { NETFN } from './message.ts';
import { PRIVILEGE } from './privilege.ts';
import { type IpmiTarget, withSession } from './session.ts';
import { CIPHER_SUITES, cipherSuite } from './suite.ts';

const bmcs: TestBmc[] = [];
afterEach(async () => {
  await Promise.all(bmcs.splice(0).map((bmc) => bmc.stop()));
});
async function start(options: Parameters<typeof startTestBmc>[0] = {}): Promise<TestBmc> {
  const bmc = await startTestBmc(options);
  bmcs.push(bmc);
  return bmc;
}
const patience = { firstWaitMs: 100, tries: 3, deadlineMs: 5000 };
const outcome = (bmc: TestBmc, changes: Partial<IpmiTarget> = {}) =>
  withSession(targetOf(bmc, changes), chassisStatus, patience).then(
    (status) => (status.on ? 'on' : 'off'),
    (error: unknown) => {
      if (error instanceof IpmiFailure) return `${error.failure}: ${error.message}`;
      throw error;
    },
  );

function suite(id: number) {
  const found = cipherSuite(id);
  if (found === null) throw new Error(`suite ${id}`);
  return found;
}

describe.each([3, 17])('cipher suite %i', (id) => {
  it('opens, acts and closes, with and without K_g', async () => {
    for (const kg of [undefined, Buffer.from('0123456789abcdefghij')]) {
      const bmc = await start({ kg, suites: [id] });
      const target = targetOf(bmc, { suite: suite(id), kg: kg ?? null });
      await withSession(target, async (session) => {
        await setBootDeviceOnce(session, { device: 'pxe', efi: true });
        expect(await chassisControl(session, 'on')).toBe('accepted');
        expect((await chassisStatus(session)).on).toBe(true);
      });
      expect(bmc.boots).toEqual([{ device: 'pxe', efi: true, persistent: false }]);
      await vi.waitFor(() => expect(bmc.server.sessions()).toBe(0), 5000);
      expect(await outcome(bmc, { suite: suite(id), kg: Buffer.from('another') })).toBe('auth: k_g invalid');
    }
  });

  it('names what is wrong', async () => {
    const bmc = await start({ suites: [id] });
    const own = { suite: suite(id) };
    expect(await outcome(bmc, { ...own, password: 'wrong' })).toBe('auth: password invalid');
    expect(await outcome(bmc, { ...own, user: 'nobody' })).toBe('auth: username invalid');
    expect(await outcome(bmc, { ...own, user: 'watcher', password: 'look' })).toBe(
      'auth: privilege level cannot be obtained for this user',
    );
    expect(await outcome(bmc, { suite: suite(id === 3 ? 17 : 3) })).toBe('setting: cipher suite id unavailable');
    expect(await outcome(bmc, { ...own, user: 'watcher', password: 'look', privilege: 'USER' })).toBe('off');
  });
});

describe('the best suite', () => {
  it.each([
    [[3, 17], 17],
    [[17], 17],
    [[3], 3],
  ])('of %j is %i', async (suites, best) => {
    const bmc = await start({ suites });
    expect(await outcome(bmc)).toBe('off');
    expect(suitesToTry(decodeCipherList(encodeCipherList(suites.map(suite))))[0]?.id).toBe(best);
  });

  it('is tried after the old one where the BMC does not tell what it has, and both where its list errs', () => {
    const ids = (listed: number[] | null) => suitesToTry(listed).map(({ id }) => id);
    expect([ids(null), ids([]), ids([0, 1, 2]), ids([3]), ids([17]), ids([1, 3, 8, 17])]).toEqual([
      [3, 17],
      [3, 17],
      [3, 17],
      [3, 17],
      [17, 3],
      [17, 3],
    ]);
  });

  it('is read from any list, OEM records and rubbish passed over', () => {
    expect(decodeCipherList(encodeCipherList(CIPHER_SUITES))).toEqual([3, 17]);
    const oem = [0xc1, 0x80, 0x57, 0x01, 0x00, 0x01, 0x41, 0x81];
    const terse = [0xc0, 0x00, 0x00, 0xc0, 0x03, 0x01, 0x41, 0x81];
    expect(decodeCipherList(Buffer.from([...oem, ...terse, 0xc0]))).toEqual([0, 3]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
        expect(decodeCipherList(Buffer.from(bytes)).length).toBeLessThanOrEqual(bytes.length / 2);
      }),
    );
  });
});

it('leaves the BMC free slots: abandoned logins give way, sessions that stand do not', async () => {
  const bmc = await start();
  // A client that sees a wrong password goes away without a word.
  for (let i = 0; i < 40; i++) expect(await outcome(bmc, { password: 'wrong' })).toBe('auth: password invalid');
  expect(await outcome(bmc)).toBe('off');

  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const held = Array.from({ length: 16 }, () => withSession(targetOf(bmc), () => over, patience));
  await expect.poll(() => bmc.server.sessions()).toBe(16);
  expect(await outcome(bmc)).toBe('connection: BMC busy: no free session');
  end();
  await Promise.all(held);
  expect(await outcome(bmc)).toBe('off');
  await vi.waitFor(() => expect(bmc.server.sessions()).toBe(0), 5000);
});

it('hears of a changed password at the next login', async () => {
  const users = [{ ...TEST_USER, password: 'first' as string }];
  const bmc = await start({ users });
  expect(await outcome(bmc, { password: 'first' })).toBe('off');
  users.splice(0, 1, { ...TEST_USER, password: 'second' });
  expect(await outcome(bmc, { password: 'first' })).toBe('auth: password invalid');
  expect(await outcome(bmc, { password: 'second' })).toBe('off');
});

it('raises its privilege when the BMC refuses to answer without, not before', async () => {
  const bmc = await start();
  const levels = await withSession(
    targetOf(bmc),
    async (session) => {
      // Get Session Info (IPMI 2.0 §22.20): the fifth byte is the session's level.
      const level = async () => (await session.request(NETFN.app, 0x3d, Buffer.from([0]), 'session info'))[4];
      await chassisStatus(session);
      const before = await level();
      await setBootDeviceOnce(session, { device: 'pxe', efi: false });
      return [before, await level()];
    },
    patience,
    undefined,
    'when refused',
  );
  expect(levels).toEqual([PRIVILEGE.USER, PRIVILEGE.OPERATOR]);
  expect(bmc.boots).toHaveLength(1);
});
