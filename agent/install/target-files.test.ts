import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetMachine, writeTargetFiles } from './target-files.ts';

let target = '';
beforeEach(async () => {
  target = await mkdtemp(join(tmpdir(), 'ingot-target-'));
});
afterEach(() => rm(target, { recursive: true, force: true }));

const write = (files: InstallPlan['files']) => writeTargetFiles({ files }, target);
const file = (path: string, more = {}) => ({ path, mode: 0o600, content: 'text', ...more });

test('a file is written with its mode, whatever the umask and the image say', async () => {
  await mkdir(join(target, 'etc'));
  await writeFile(join(target, 'etc/one'), 'of the image', { mode: 0o644 });
  await write([file('/etc/one'), file('/etc/deep/two')]);
  expect((await stat(join(target, 'etc/one'))).mode & 0o777).toBe(0o600);
  expect(await readdir(join(target, 'etc'))).toEqual(['deep', 'one']);
});

test('a file for systems with a program is left out where it is missing, and the other way round', async () => {
  const files = [file('/with', { onlyWith: '/usr/sbin/tool' }), file('/without', { onlyWithout: '/usr/sbin/tool' })];
  await write(files);
  expect(await readdir(target)).toEqual(['without']);
  await rm(join(target, 'without'));
  await mkdir(join(target, 'usr/sbin'), { recursive: true });
  // Debian's netplan is such a link; from outside of the system it leads nowhere.
  await symlink('/usr/share/tool/tool.script', join(target, 'usr/sbin/tool'));
  await write(files);
  expect(await readdir(target)).toEqual(['usr', 'with']);
});

test('no file is written outside of the system, neither by .. nor by a link of the image', async () => {
  await write([file('/../../escaped')]);
  expect(await readdir(target)).toEqual(['escaped']);
  await symlink(tmpdir(), join(target, 'link'));
  await expect(write([file('/link/escaped')])).rejects.toThrow('outside of the installed system');
});

test('what an image brings of the machine it was made on is taken out: cloud-init’s instance and the machine-id', async () => {
  for (const name of ['var/lib/cloud/instances/abc123', 'var/lib/cloud/data', 'var/lib/cloud/seed', 'etc']) {
    await mkdir(join(target, name), { recursive: true });
  }
  await symlink('/var/lib/cloud/instances/abc123', join(target, 'var/lib/cloud/instance'));
  await writeFile(join(target, 'etc/machine-id'), 'of another machine\n');
  await forgetMachine(target);
  expect(await readdir(join(target, 'var/lib/cloud'))).toEqual(['seed']);
  expect(await readFile(join(target, 'etc/machine-id'), 'utf8')).toBe('');
});

test('taking it out reaches nothing outside of the system, and needs nothing of it', async () => {
  await forgetMachine(target);
  expect(await readdir(target)).toEqual([]);
  const outside = await mkdtemp(join(tmpdir(), 'ingot-outside-'));
  await mkdir(join(outside, 'data'));
  await writeFile(join(outside, 'id'), 'kept');
  await mkdir(join(target, 'var/lib'), { recursive: true });
  await mkdir(join(target, 'etc'));
  await symlink(outside, join(target, 'var/lib/cloud'));
  await symlink(join(outside, 'id'), join(target, 'etc/machine-id'));
  await forgetMachine(target);
  expect(await readdir(outside)).toEqual(['data', 'id']);
  expect(await readFile(join(outside, 'id'), 'utf8')).toBe('kept');
  await rm(outside, { recursive: true });
});
