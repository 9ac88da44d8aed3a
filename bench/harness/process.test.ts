import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { parseStat, runToEnd, withCpu } from './process.ts';

const BUSY = 'const end = Date.now() + 20_000; while (process.cpuUsage().user < 300_000 && Date.now() < end);';

it('reads a stat line whose name holds spaces and brackets', () => {
  const line = '42 (a ) b) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 100';
  expect(parseStat(line)).toEqual({ pid: 42, parent: 7, own: 30, ended: 70 });
  expect(parseStat('')).toBeNull();
});

it('counts what a child of the process spent, which has ended meanwhile', async () => {
  const script = `read line; ${process.execPath} -e '${BUSY}'; echo done; read line`;
  const parent = spawn('bash', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(parent, 'spawn');
  const { cpuSeconds } = await withCpu(parent.pid ?? 0, async () => {
    parent.stdin.write('go\n');
    await once(parent.stdout, 'data');
  });
  expect(cpuSeconds).toBeGreaterThanOrEqual(0.25);
  parent.stdin.end('\n');
  await once(parent, 'exit');
}, 60_000);

it('gives wall and CPU seconds of a program, and its words', async () => {
  const { stdout, seconds, cpuSeconds } = await runToEnd([process.execPath, '-e', `${BUSY} console.log('done')`]);
  expect(stdout).toBe('done\n');
  expect(cpuSeconds).toBeGreaterThanOrEqual(0.25);
  expect(cpuSeconds).toBeLessThanOrEqual(seconds * 4);
  await expect(runToEnd(['false'])).rejects.toThrow('ended with 1');
}, 60_000);
