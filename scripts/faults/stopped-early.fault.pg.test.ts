import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningServer } from '@ingot/region/postgres/running-server.ts';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { checkout, ensureBuilt } from '../sim/built.ts';

const ENOUGH = { timeout: 40_000, interval: 5 };

let stateDir: string;
const started: ChildProcess[] = [];
beforeAll(async () => {
  await ensureBuilt('region');
  stateDir = await mkdtemp(path.join(tmpdir(), 'ingot-early-'));
  // PostgreSQL runs as a user of its own.
  await chmod(stateDir, 0o755);
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGTERM');
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

function startRegion() {
  const region = path.join(checkout, 'dist/region.mjs');
  const args = [region, '--state', stateDir, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  started.push(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  return { child, ended: once(child, 'exit'), said: () => said };
}

/**
 * @fault The region is told to stop while it is still starting its PostgreSQL, or bringing its schema up to date.
 * @sees It ends at once, and `ingot up` with it.
 * @ends No PostgreSQL stays behind; the next start goes on where this one was stopped.
 */
test('a region that is stopped at any moment of its start leaves no server behind', async () => {
  for (const ms of [250, 400, 700, 1200, 2500]) {
    const { child, ended, said } = startRegion();
    await sleep(ms);
    child.kill('SIGTERM');
    await ended;
    const server = await runningServer(path.join(stateDir, 'postgres', '15'));
    expect(['none', 'stale'], `stopped after ${ms} ms; it said ${said()}`).toContain(server);
  }
});

/**
 * @fault The region is killed with -9 while it makes the cluster of its PostgreSQL.
 * @sees The next start makes it anew.
 * @ends Nothing half made is taken for a cluster, and none of it stays.
 */
test('a region that is killed while it makes its cluster starts the next time', async () => {
  const postgres = path.join(stateDir, 'postgres');
  await rm(postgres, { recursive: true, force: true });
  const first = startRegion();
  const halfMade = async () => (await readdir(postgres).catch(() => [])).filter((name) => name.includes('.new-'));
  await vi.waitFor(async () => {
    const [name = ''] = await halfMade();
    await access(path.join(postgres, name, 'PG_VERSION'));
  }, ENOUGH);
  first.child.kill('SIGKILL');
  await first.ended;
  const second = startRegion();
  await vi.waitFor(() => expect(second.said()).toContain('region serves'), ENOUGH);
  expect(await halfMade()).toEqual([]);
  second.child.kill('SIGTERM');
  await second.ended;
});
