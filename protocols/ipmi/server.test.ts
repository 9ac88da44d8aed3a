import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestBmc, TEST_USER, type TestBmc } from './bmc-testing.ts';

// The judges are Debian's ipmitool and FreeIPMI's ipmipower: what they believe is a BMC may judge our client.
const run = promisify(execFile);
const host = '127.0.0.1';

interface ToolEnd {
  exit: number;
  text: string;
}

async function tool(program: string, args: string[]): Promise<ToolEnd> {
  try {
    const { stdout, stderr } = await run(program, args, { timeout: 30_000 });
    return { exit: 0, text: `${stdout}${stderr}`.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { exit: code, text: `${stdout ?? ''}${stderr ?? ''}`.trim() };
  }
}

interface Login {
  user?: string;
  password?: string;
  level?: string;
  kg?: string;
}

async function ipmitool(bmc: TestBmc, suite: number | null, args: string[], login: Login = {}): Promise<ToolEnd> {
  const { user = TEST_USER.name, password = TEST_USER.password, level = 'OPERATOR', kg } = login;
  const where = ['-I', 'lanplus', '-H', host, '-p', String(bmc.server.port), '-U', user, '-P', password, '-L', level];
  const key = kg === undefined ? [] : ['-k', kg];
  const suiteArgs = suite === null ? [] : ['-C', String(suite)];
  return await tool('ipmitool', [...where, ...suiteArgs, ...key, ...args]);
}

async function ipmipower(bmc: TestBmc, suite: number, args: string[], login: Login = {}): Promise<ToolEnd> {
  const { user = TEST_USER.name, password = TEST_USER.password, level = 'OPERATOR', kg } = login;
  const key = kg === undefined ? [] : ['-k', kg];
  const where = ['-D', 'LAN_2_0', '-h', `${host}:${bmc.server.port}`, '-u', user, '-p', password, '-I', String(suite)];
  return await tool('ipmipower', [...where, '-l', level, ...key, ...args]);
}

let bmc: TestBmc;
beforeEach(async () => {
  bmc = await startTestBmc();
});
afterEach(async () => await bmc.stop());

describe.each([3, 17])('ipmitool with cipher suite %i', (suite) => {
  it('sees and changes the power', async () => {
    const power = async (word: string) => (await ipmitool(bmc, suite, ['chassis', 'power', word])).text;
    expect(await power('status')).toBe('Chassis Power is off');
    expect(await power('on')).toBe('Chassis Power Control: Up/On');
    expect(await power('status')).toBe('Chassis Power is on');
    expect(await power('cycle')).toBe('Chassis Power Control: Cycle');
    expect(await power('reset')).toBe('Chassis Power Control: Reset');
    expect(await power('soft')).toBe('Chassis Power Control: Soft');
    expect(await power('status')).toBe('Chassis Power is off');
    await power('on');
    expect(await power('off')).toBe('Chassis Power Control: Down/Off');
    expect(bmc.controls).toEqual(['on', 'cycle', 'reset', 'soft', 'on', 'off']);
    expect(bmc.server.sessions()).toBe(0);
  });

  it('arms the boot device, and reads it back as it was set', async () => {
    expect(await ipmitool(bmc, suite, ['chassis', 'bootdev', 'pxe'])).toMatchObject({
      exit: 0,
      text: 'Set Boot Device to pxe',
    });
    expect((await ipmitool(bmc, suite, ['chassis', 'bootdev', 'disk', 'options=efiboot,persistent'])).exit).toBe(0);
    expect(bmc.boots).toEqual([
      { device: 'pxe', efi: false, persistent: false },
      { device: 'disk', efi: true, persistent: true },
    ]);
    const { text } = await ipmitool(bmc, suite, ['chassis', 'bootparam', 'get', '5']);
    expect(text).toMatch(
      /Boot Flag Valid[\s\S]*apply to all future boots[\s\S]*BIOS EFI boot[\s\S]*Force Boot from default Hard-Drive/,
    );
  });

  it('is refused with a wrong password, and below the level that it asks for', async () => {
    const wrong = await ipmitool(bmc, suite, ['chassis', 'power', 'status'], { password: 'wrong' });
    expect([wrong.exit, wrong.text]).toEqual([
      1,
      expect.stringContaining('Unable to establish IPMI v2 / RMCP+ session'),
    ]);
    const low = { user: 'watcher', password: 'look' };
    expect(await ipmitool(bmc, suite, ['chassis', 'power', 'status'], { ...low, level: 'USER' })).toMatchObject({
      exit: 0,
    });
    expect((await ipmitool(bmc, suite, ['chassis', 'power', 'on'], { ...low, level: 'USER' })).text).toMatch(
      /nsufficient privilege/,
    );
    expect((await ipmitool(bmc, suite, ['chassis', 'power', 'on'], { ...low, level: 'ADMINISTRATOR' })).exit).toBe(1);
    expect(bmc.controls).toEqual([]);
  });
});

it('tells ipmitool about itself', async () => {
  expect((await ipmitool(bmc, null, ['chassis', 'power', 'status'])).text).toContain('Chassis Power is off');
  expect((await ipmitool(bmc, 17, ['mc', 'info'])).text).toMatch(/IPMI Version +: 2\.0/);
  expect((await ipmitool(bmc, 3, ['mc', 'guid'])).exit).toBe(0);
  expect((await ipmitool(bmc, 3, ['session', 'info', 'active'])).text).toMatch(/privilege level +: OPERATOR/);
  const ciphers = await ipmitool(bmc, 17, ['channel', 'getciphers', 'ipmi']);
  expect(ciphers.text).toMatch(
    /^3 +N\/A +hmac_sha1 +hmac_sha1_96 +aes_cbc_128 *$[\s\S]*^17 +N\/A +hmac_sha256 +sha256_128 +aes_cbc_128 *$/m,
  );
});

describe.each([3, 17])('ipmipower with cipher suite %i', (suite) => {
  it.each([[[]], [['-W', 'opensesspriv']]])('sees and changes the power, options %j', async (more) => {
    const power = async (word: string) => (await ipmipower(bmc, suite, [...more, word])).text.replace(/^\S+: /, '');
    expect(await power('--stat')).toBe('off');
    expect(await power('--on')).toBe('ok');
    expect(await power('--stat')).toBe('on');
    expect(await power('--cycle')).toBe('ok');
    expect(await power('--soft')).toBe('ok');
    expect(await power('--stat')).toBe('off');
    // What MAAS runs.
    const { text } = await ipmipower(bmc, suite, [...more, '--cycle', '--on-if-off']);
    expect(text).toMatch(/: ok$/);
    expect(await power('--off')).toBe('ok');
    expect(bmc.controls).toEqual(['on', 'cycle', 'soft', 'on', 'off']);
  });

  it('names a wrong password, user, K_g and level', async () => {
    const status = async (login: Login) => (await ipmipower(bmc, suite, ['--stat'], login)).text;
    expect(await status({ password: 'wrong' })).toMatch(/password invalid/);
    expect(await status({ user: 'nobody' })).toMatch(/username invalid/);
    expect(await status({ kg: 'unasked' })).toMatch(/k_g invalid/);
    expect(await status({ user: 'watcher', password: 'look' })).toMatch(/privilege level/);
  });
});

it.each([3, 17])('shows ipmitool that it has suite %i alone', async (suite) => {
  const choosy = await startTestBmc({ suites: [suite] });
  try {
    expect((await ipmitool(choosy, null, ['power', 'status'])).text).toBe('Chassis Power is off');
    expect((await ipmitool(choosy, suite === 3 ? 17 : 3, ['power', 'status'])).exit).toBe(1);
  } finally {
    await choosy.stop();
  }
});

it('wants its K_g from both tools', async () => {
  const guarded = await startTestBmc({ kg: Buffer.from('a-bmc-key-of-20-byte') });
  try {
    for (const suite of [3, 17]) {
      const given = { kg: 'a-bmc-key-of-20-byte' };
      expect((await ipmitool(guarded, suite, ['power', 'status'], given)).text).toBe('Chassis Power is off');
      expect((await ipmipower(guarded, suite, ['--stat'], given)).text).toMatch(/: off$/);
      expect((await ipmitool(guarded, suite, ['power', 'status'], { kg: 'other' })).exit).toBe(1);
      expect((await ipmipower(guarded, suite, ['--stat'], { kg: 'other' })).text).toMatch(/k_g invalid/);
      expect((await ipmipower(guarded, suite, ['--stat'])).text).toMatch(/k_g invalid/);
    }
  } finally {
    await guarded.stop();
  }
});

it("arms the boot device for FreeIPMI's ipmi-config as MAAS uses it", async () => {
  const where = ['-D', 'LAN_2_0', '-h', `${host}:${bmc.server.port}`, '-u', TEST_USER.name, '-p', TEST_USER.password];
  const flags = ['Boot_Flags_Persistent=No', 'BIOS_Boot_Type=EFI', 'Boot_Device=PXE'];
  const keys = flags.flatMap((flag) => ['-e', `Chassis_Boot_Flags:${flag}`]);
  const end = await tool('ipmi-config', [
    '--category=chassis',
    ...where,
    '-I',
    '3',
    '-l',
    'OPERATOR',
    '--commit',
    ...keys,
  ]);
  expect([end.exit, end.text]).toEqual([0, '']);
  expect(bmc.boots.at(-1)).toEqual({ device: 'pxe', efi: true, persistent: false });
});

it('answers a presence ping, and nothing that is none of its protocol', async () => {
  const socket = createSocket('udp4');
  const answers: string[] = [];
  socket.on('message', (bytes) => answers.push(bytes.toString('hex')));
  const send = (hex: string) => socket.send(Buffer.from(hex, 'hex'), bmc.server.port, host);
  for (const noise of ['', '00', '06', '0600ff07', '0600ff0706', '0600ff06000011be8100', 'ff'.repeat(2000)])
    send(noise);
  send('0600ff06000011be80070000');
  await expect.poll(() => answers).toEqual(['0600ff06000011be40070010000011be00000000810000000000'.padEnd(56, '0')]);
  socket.close();
});
