import type { Progress, Report, ScriptOutcome } from '@ingot/contract/agent.ts';
import { expect, test } from 'vitest';
import { type RackClient, Refused } from './rack-client.ts';
import { startReporter } from './reporter.ts';

const outcome = (bytes: number): ScriptOutcome => ({
  status: 'passed',
  exitStatus: 0,
  seconds: 1,
  output: 'x'.repeat(bytes),
  stdout: '',
  stderr: '',
  result: '',
});
const started = (name: string): Progress => ({ kind: 'script', name, state: 'started' });

/** A region that takes its time over each request, and what it was sent. */
function slowRegion(refuses = false) {
  const requests: string[][] = [];
  const words = (report: Report) => ('progress' in report ? report.progress.name : `result ${report.resultId}`);
  const take = async (reports: Report[]) => {
    requests.push(reports.map(words));
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (refuses) throw new Refused(409, 'over');
  };
  const no = () => Promise.reject(new Error('not asked here'));
  const client: RackClient = {
    progress: (progress) => take([{ progress }]),
    result: (resultId, body) => take([{ resultId, outcome: body }]),
    reports: take,
    session: no,
    task: no,
    inventory: no,
    enlist: no,
    done: no,
  };
  return { client, requests };
}

test('what gathers while one request is under way goes with the next, in its order', async () => {
  const { client, requests } = slowRegion();
  const reporter = startReporter(client, () => undefined);
  reporter.report(started('a'));
  reporter.result(1, outcome(10));
  reporter.report(started('b'));
  reporter.result(2, outcome(10));
  await reporter.flushed();
  reporter.stop();
  expect(requests).toEqual([['a'], ['result 1', 'b', 'result 2']]);
});

test('long outputs do not travel together', async () => {
  const { client, requests } = slowRegion();
  const reporter = startReporter(client, () => undefined);
  for (const id of [1, 2, 3]) reporter.result(id, outcome(1.5 * 1024 * 1024));
  await reporter.flushed();
  reporter.stop();
  expect(requests).toEqual([['result 1'], ['result 2'], ['result 3']]);
});

test('when the attempt is over nothing more is sent', async () => {
  const { client, requests } = slowRegion(true);
  const reporter = startReporter(client, () => undefined);
  for (const name of ['a', 'b', 'c']) reporter.report(started(name));
  await reporter.flushed();
  reporter.stop();
  expect(requests).toEqual([['a']]);
});
