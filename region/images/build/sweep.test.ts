import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepDead } from './sweep.ts';

test('what killed builds left goes, what others are building stays', async () => {
  const work = await mkdtemp(join(tmpdir(), 'ingot-sweep-'));
  const { pid: dead } = spawnSync('true');
  for (const name of [`deploy.${dead}`, `deploy.${process.pid}`, 'notes']) {
    await mkdir(join(work, name, 'tree'), { recursive: true });
  }
  await sweepDead(work);
  expect((await readdir(work)).sort()).toEqual([`deploy.${process.pid}`, 'notes']);
  await sweepDead(join(work, 'nowhere'));
  await rm(work, { recursive: true });
});
