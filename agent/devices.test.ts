import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { devicesSettled } from './devices.ts';

const PATH = process.env.PATH;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ingot-devices-'));
  process.env.PATH = `${dir}${delimiter}${PATH}`;
});
afterEach(async () => {
  process.env.PATH = PATH;
  await rm(dir, { recursive: true });
});

/** Programs of that name; each call is a line of `calls`. `udevadm` fails until it was called `failing` times. */
async function pretend(failing: number): Promise<() => Promise<string[]>> {
  const calls = join(dir, 'calls');
  const noted = (then: string) => `#!/bin/sh\necho "$(basename "$0") $*" >>${calls}\n${then}\n`;
  await writeFile(join(dir, 'systemctl'), noted('exit 0'), { mode: 0o755 });
  const enough = `[ "$(grep -c ^udevadm ${calls})" -gt ${failing} ]`;
  await writeFile(join(dir, 'udevadm'), noted(enough), { mode: 0o755 });
  return async () => (await readFile(calls, 'utf8')).trim().split('\n');
}

test('udev’s daemon is waited for before its work is, and asked again while it does not answer', async () => {
  const calls = await pretend(2);
  await devicesSettled();
  const settle = 'udevadm settle --timeout=120';
  expect(await calls()).toEqual([
    'systemctl start systemd-udevd.service systemd-udev-trigger.service',
    ...[settle, settle, settle],
  ]);
});

test('a daemon that never answers does not keep the machine for ever', async () => {
  const calls = await pretend(1000);
  await devicesSettled();
  expect(await calls()).toHaveLength(7);
});
