import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, chmod, mkdtemp, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { freePort } from '@ingot/lab/sim/site.ts';
import { ApiRefusal, type NativeClient, nativeClient } from '@ingot/lab/story/native-client.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../sim/built.ts';
import { type RegionProgram, regionProgram, runRegion } from './region-program.ts';

const MIB = 1024 * 1024;
let dir: string;
let region: RegionProgram;
let api: NativeClient;

beforeAll(async () => {
  await ensureBuilt('region');
  dir = await mkdtemp('/tmp/ingot-full-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=0711', 'ingot-full', dir]);
  const at = { stateDir: dir, databaseUrl: null };
  await runRegion(
    ['createadmin', '--username', 'admin', '--password', '-'],
    at,
    `${randomBytes(12).toString('hex')}\n`,
  );
  await chmod(dir, 0o711);
  region = regionProgram({ ...at, port: await freePort() });
  await region.start();
  api = nativeClient(path.join(dir, 'run/api.sock'));
});
afterAll(async () => {
  await rm(path.join(dir, 'filler'), { force: true });
  await region?.stop();
  execFileSync('umount', ['-l', dir]);
  await rm(dir, { recursive: true, force: true });
});

/** Leaves not a block to anybody. */
async function fill(): Promise<void> {
  for (let size = 8 * MIB; size >= 4096; ) {
    const { bavail, bsize } = await statfs(dir);
    if (bavail * bsize < size) size /= 2;
    else await appendFile(path.join(dir, 'filler'), Buffer.alloc(size)).catch(() => undefined);
  }
}

/**
 * @fault The file system of the controller is full, so that PostgreSQL cannot write.
 * @sees 503 with database.full, or database.away where PostgreSQL itself had to stop, each with what to do; no partial work.
 * @ends When there is room again the region works on by itself; everything acknowledged before and between is there.
 */
test('a full disk costs nothing that was acknowledged, and is said by name', { timeout: 180_000 }, async () => {
  const acknowledged: string[] = [];
  const codes = new Set<string>();
  const write = async (name: string): Promise<void> => {
    try {
      await api.createUser(name, 'a-password', false);
      acknowledged.push(name);
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      expect(error.status).toBe(503);
      codes.add(error.code);
    }
  };
  await write('before');
  // Settings hold any text: large ones use up what is left in PostgreSQL's files.
  const grow = (n: number) =>
    api
      .setSettings({
        kernel_opts: randomBytes(100_000)
          .toString('hex')
          .slice(0, 2000 + n),
      })
      .catch((error: unknown) => {
        if (error instanceof ApiRefusal && error.status === 503) codes.add(error.code);
      });
  await fill();
  for (let n = 0; n < 3000 && codes.size === 0; n += 1) {
    await write(`while-${n}`);
    await grow(n);
    if (n % 20 === 0) await fill();
  }
  expect([...codes].filter((code) => !/^database\.(full|away)$/.test(code))).toEqual([]);
  expect([...codes]).toContain('database.full');
  expect(region.running()).toBe(true);
  await rm(path.join(dir, 'filler'));
  await waitFor('the region to work on', 60_000, () =>
    api.createUser('after', 'a-password', false).catch(() => undefined),
  );
  for (const name of acknowledged) {
    const again = await api.createUser(name, 'a-password', false).catch((error: unknown) => error);
    expect(again, name).toMatchObject({ code: 'user.exists' });
  }
});
