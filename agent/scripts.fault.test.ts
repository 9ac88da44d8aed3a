import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { scriptOutcome } from './script-outcome.ts';
import { runTool } from './tool.ts';

const MIB = 1024 * 1024;
const sh = (script: string, timeoutSeconds = 60) => runTool('bash', ['-c', script], { timeoutSeconds });

/** Whatever a test leaves behind when it fails. */
let left: number[] = [];
afterEach(() => {
  for (const pid of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
  left = [];
});

const lives = (pid: number): boolean => {
  try {
    // A zombie waits for its parent alone; nothing of it runs.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/**
 * @fault A script prints 1 GB.
 * @sees Its output with head and tail, and a line between them that says how many bytes are left out.
 * @ends The agent keeps at most 1 MiB of each stream while reading; the script passes or fails as it exits.
 */
test('a script that prints 1 GB is read to its end within bounded memory', { timeout: 120_000 }, async () => {
  const before = process.memoryUsage().rss;
  let highest = before;
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage().rss);
  }, 20);
  const run = await sh('echo begin; yes | head -c 1000000000; echo end');
  clearInterval(watch);
  expect(run.exitStatus).toBe(0);
  expect(highest - before).toBeLessThan(200 * MIB);
  const outcome = scriptOutcome({ ...run, result: '' });
  const printed = Buffer.from(outcome.output, 'base64').toString();
  expect(printed.length).toBeLessThanOrEqual(MIB + 100);
  expect([printed.slice(0, 8), printed.slice(-6)]).toEqual(['begin\ny\n', 'y\nend\n']);
  expect(printed.match(/\[… \d+ bytes left out …\]/g)).toEqual([expect.stringMatching(/ 99\d{7} /)]);
  expect(outcome.status).toBe('passed');
});

/**
 * @fault A script never ends, starts others that do not either, and ignores being asked to.
 * @sees The script as timed out, with what it had printed; the attempt fails with script.timedout.
 * @ends At its time limit the agent kills its whole process group; nothing of it runs on.
 */
test('a script that never ends is killed with everything it started', async () => {
  const run = await sh('trap "" TERM INT HUP; (trap "" TERM; sleep 600) & echo $$ $!; while :; do sleep 600; done', 1);
  left = run.stdout.trim().split(' ').map(Number);
  expect(left).toHaveLength(2);
  expect([run.timedOut, run.exitStatus]).toEqual([true, 124]);
  expect(run.seconds).toBeLessThan(10);
  expect(left.filter(lives)).toEqual([]);
  const outcome = scriptOutcome({ ...run, result: 'status: passed\n' });
  expect(outcome.status).toBe('timedout');
});

/**
 * @fault A script leaves a child behind that has its own session and keeps the output open.
 * @sees Nothing of it: the result comes when the script itself has ended.
 * @ends The agent waits two seconds for the rest of the output and goes on.
 */
test('a child that keeps the output open does not keep the agent', async () => {
  const run = await sh('setsid sleep 600 & echo $!; exit 3');
  left = [Number(run.stdout)];
  expect(run).toMatchObject({ exitStatus: 3, timedOut: false });
  expect(run.seconds).toBeLessThan(15);
});

/**
 * @fault A script exits with 255, or is killed by the kernel.
 * @sees The script as failed with its exit status and output; the attempt fails with script.failed.
 * @ends As any other failed script; the others still run.
 */
test.each([
  ['exit 255', 255],
  ['kill -SEGV $$', 128],
])('a script that ends with %s has failed', async (end, exitStatus) => {
  const run = await sh(`echo begun; ${end}`);
  expect(scriptOutcome({ ...run, result: '' })).toMatchObject({
    status: 'failed',
    exitStatus,
    output: Buffer.from('begun\n').toString('base64'),
  });
});

/**
 * @fault A script writes a result file that is no YAML, or a bomb of aliases.
 * @sees The script judged by its exit status alone.
 * @ends The result file is kept as text and not believed.
 */
test.each([
  [
    'a bomb of aliases',
    `a: &a [x,x,x,x]\n${[...'bcdefgh'].map((name, at) => `${name}: &${name} [${`*${'abcdefgh'[at]},`.repeat(9)}]`).join('\n')}\nstatus: passed\n`,
  ],
  ['no YAML', '{]}: *'],
  ['another shape', '- status: passed\n'],
])('a result file with %s does not decide', (_what, result) => {
  const run = { exitStatus: 1, timedOut: false, stdout: '', stderr: '', combined: '', seconds: 1 };
  expect(scriptOutcome({ ...run, result }).status).toBe('failed');
});
