import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reportedSteps } from '../steps.ts';
import { kernelIsLoaded, loadInstalledKernel } from './kexec.ts';

const UUID = '0b9e2f5e-3a44-4f0c-9e0f-5c1f6f0d7a11';
const plan: InstallPlan = {
  firmware: 'uefi',
  hostname: 'calm-fox',
  disk: { name: 'vda', serial: null, idPath: null, size: 8e9 },
  partitions: [
    {
      number: 2,
      typeCode: '8304',
      start: 0,
      size: 1,
      filesystem: 'ext4',
      mountPoint: '/',
      uuid: UUID,
      filesystemUuid: UUID,
      label: null,
    },
  ],
  image: { path: '/blobs/sha256/ab/ab', sha256: 'ab', size: 1, format: 'tar.zst' },
  files: [],
  kernelOptions: 'console=ttyS0,115200 quiet',
};

const PATH = process.env.PATH;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ingot-kexec-'));
  await mkdir(join(dir, 'target/boot'), { recursive: true });
  for (const version of ['6.1.0-9-amd64', '6.1.0-13-amd64']) {
    await writeFile(join(dir, `target/boot/vmlinuz-${version}`), '');
    await writeFile(join(dir, `target/boot/initrd.img-${version}`), '');
  }
  process.env.PATH = `${dir}${delimiter}${PATH}`;
});
afterEach(async () => {
  process.env.PATH = PATH;
  await rm(dir, { recursive: true, force: true });
});

/** A kexec that notes its arguments and ends with `status`. */
const tool = (status: number) =>
  writeFile(join(dir, 'kexec'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/seen'\necho refused >&2\nexit ${status}\n`, {
    mode: 0o755,
  });

async function load() {
  const states: string[] = [];
  const steps = reportedSteps(
    ({ name, state }) => void states.push(`${name} ${state}`),
    1,
    () => undefined,
  );
  const loaded = await loadInstalledKernel(plan, join(dir, 'target'), steps);
  return { loaded, states, text: steps.text() };
}

test('the newest kernel is loaded with the command line that the disk boots it with', async () => {
  await tool(0);
  expect(await load()).toMatchObject({ loaded: true, states: ['kexec started', 'kexec finished'] });
  const boot = join(dir, 'target/boot');
  expect((await readFile(join(dir, 'seen'), 'utf8')).trimEnd().split('\n')).toEqual([
    '-a',
    '-l',
    `${boot}/vmlinuz-6.1.0-13-amd64`,
    `--initrd=${boot}/initrd.img-6.1.0-13-amd64`,
    `--command-line=root=UUID=${UUID} ro console=ttyS0,115200 quiet`,
  ]);
});

test('a kernel that cannot be loaded fails that step alone, and the log says what follows', async () => {
  await tool(1);
  const { loaded, states, text } = await load();
  expect({ loaded, states }).toEqual({ loaded: false, states: ['kexec started', 'kexec failed'] });
  expect(text).toContain('refused');
  expect(text).toContain('the machine is reset instead');
});

test('an image without a kernel is reset into', async () => {
  await tool(0);
  await rm(join(dir, 'target/boot'), { recursive: true });
  await mkdir(join(dir, 'target/boot'));
  expect(await load()).toMatchObject({ loaded: false });
});

test('whether a kernel waits is what the kernel that runs says', async () => {
  await writeFile(join(dir, 'kexec_loaded'), '1\n');
  expect(await kernelIsLoaded(join(dir, 'kexec_loaded'))).toBe(true);
  await writeFile(join(dir, 'kexec_loaded'), '0\n');
  expect(await kernelIsLoaded(join(dir, 'kexec_loaded'))).toBe(false);
  expect(await kernelIsLoaded(join(dir, 'missing'))).toBe(false);
});
