import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningServer } from '@ingot/region/postgres/running-server.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout, ensureBuilt } from '../sim/built.ts';

let stateDir: string;
beforeAll(async () => {
  await ensureBuilt('region');
  stateDir = await mkdtemp(path.join(tmpdir(), 'ingot-early-'));
  // PostgreSQL runs as a user of its own.
  await chmod(stateDir, 0o755);
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

/**
 * @fault The region is told to stop while it is still starting its PostgreSQL, or bringing its schema up to date.
 * @sees It ends at once, and `ingot up` with it.
 * @ends No PostgreSQL stays behind; the next start goes on where this one was stopped.
 */
test('a region that is stopped at any moment of its start leaves no server behind', async () => {
  const region = path.join(checkout, 'dist/region.mjs');
  for (const ms of [250, 400, 700, 1200, 2500]) {
    const child = spawn(process.execPath, [region, '--state', stateDir, '--listen', '127.0.0.1:0'], {
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    await sleep(ms);
    child.kill('SIGTERM');
    await ended;
    const server = await runningServer(path.join(stateDir, 'postgres', '15'));
    expect(['none', 'stale'], `stopped after ${ms} ms`).toContain(server);
  }
});
