import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { RackView } from '@ingot/contract/native.ts';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';

// The commands of docs/operations.md, "A second rack, on another host", with the programs themselves. The rack has a state
// directory of its own and an interface that does not exist, so that it serves nothing here.

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');
const banner = "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);";
let dist: string;
let home: string;
let far: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  // Inside the checkout, where the libraries that are not bundled are found.
  await mkdir(path.join(root, '.build'), { recursive: true });
  dist = await mkdtemp(path.join(root, '.build/second-rack-'));
  home = await mkdtemp(path.join(os.tmpdir(), 'ingot-home-'));
  far = await mkdtemp(path.join(os.tmpdir(), 'ingot-far-'));
  await build({
    absWorkingDir: root,
    entryPoints: { ingot: 'cli/main.ts', region: 'region/main.ts', rack: 'rack/main.ts' },
    outdir: dist,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi', 'pg-native'],
    banner: { js: banner },
    logLevel: 'error',
  });
  await cp(path.join(root, 'region/store/migrations'), path.join(dist, 'migrations'), { recursive: true });
});
afterAll(async () => {
  for (const child of children.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  for (const made of [dist, home, far]) await rm(made, { recursive: true, force: true });
});

function start(program: string, ...argv: string[]): ChildProcess {
  const stdio: ['ignore', 'ignore', 'inherit'] = ['ignore', 'ignore', 'inherit'];
  const child = spawn(process.execPath, [path.join(dist, `${program}.mjs`), ...argv, '--log-level', 'error'], {
    stdio,
  });
  children.push(child);
  return child;
}
const ingot = (...argv: string[]) =>
  run(process.execPath, [path.join(dist, 'ingot.mjs'), ...argv], { timeout: 30_000 });

async function ask(socketPath: string, at: string): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    http
      .get({ socketPath, path: at, agent: false }, async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        resolve(body);
      })
      .on('error', reject);
  });
}

/** Null while the region is not there. */
const racks = () =>
  ask(path.join(home, 'run/api.sock'), '/api/v1/racks').then(
    (text) => z.array(RackView).parse(JSON.parse(text)),
    () => null,
  );
/** What the rack itself says of its link; '' while it is not there. */
const linked = () =>
  ask(path.join(far, 'rack/metrics.sock'), '/').then(
    (text) => /^ingot_rack_region_connected (\d)/m.exec(text)?.[1] ?? '',
    () => '',
  );

const startRegion = (port: number) =>
  start('region', '--state', home, '--listen', '127.0.0.1:0', '--rack-listen', `127.0.0.1:${port}`);
const startRack = () => start('rack', '--state', far, '--interface', 'none0');
const within = { timeout: 60_000, interval: 250 };

it('a rack enrols with the line that the region prints, links over TLS, and again after either restarts', async () => {
  const free = http.createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const bound = free.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  await new Promise((resolve) => free.close(resolve));

  const region = startRegion(port);
  await expect.poll(racks, within).toEqual([]);
  await expect(ingot('rack', '--state', far)).rejects.toThrow(/not enrolled/);

  const { stdout: line } = await ingot('rack', 'token', '--state', home);
  expect(line).toMatch(
    new RegExp(`^ingot rack enroll https://127\\.0\\.0\\.1:${port} [0-9a-f]{64}\\.[0-9a-f]{64}\\n$`),
  );
  const words = line.trim().split(' ').slice(1);
  const [, , url = '', token = ''] = words;
  const other = `${token.split('.')[0]}.${'0'.repeat(64)}`;
  await expect(ingot('rack', 'enroll', url, other, '--state', far)).rejects.toThrow(/another fingerprint/);
  const { stdout } = await ingot(...words, '--state', far, '--name', 'far');
  expect(stdout).toMatch(/^Enrolled as [0-9a-f]{12}\./);
  await expect(ingot(...words, '--state', path.join(far, 'second'))).rejects.toThrow(/rack\.bad_token/);
  expect(JSON.parse(await readFile(path.join(far, 'rack/region.json'), 'utf8'))).toEqual({ url });

  const rack = startRack();
  await expect.poll(linked, within).toBe('1');
  expect(await racks()).toMatchObject([{ name: 'far', connected: true }]);

  region.kill('SIGKILL');
  await once(region, 'exit');
  await expect.poll(linked, within).toBe('0');
  startRegion(port);
  await expect.poll(linked, within).toBe('1');
  expect(rack.exitCode).toBeNull();

  rack.kill('SIGKILL');
  await once(rack, 'exit');
  startRack();
  await expect.poll(linked, within).toBe('1');
}, 180_000);
