import type { Progress } from '@ingot/contract/agent.ts';
import { expect, test } from 'vitest';
import { reportedSteps } from './steps.ts';

test('what a step noted is told with its end, and not with the end of the next', async () => {
  const reports: Progress[] = [];
  const steps = reportedSteps(
    (report) => reports.push(report),
    7,
    () => {},
  );
  await steps.run('erase', async () => {
    steps.log('looking');
    steps.note('nvme0n1: securely erased by its firmware');
    steps.note('vda: no secure erase: the disk has no ATA security');
  });
  await steps.run('sync', async () => {});
  const ends = reports.filter(({ state }) => state === 'finished').map(({ name, text }) => [name, text]);
  expect(ends).toEqual([
    ['erase', 'nvme0n1: securely erased by its firmware; vda: no secure erase: the disk has no ATA security'],
    ['sync', undefined],
  ]);
  expect(steps.text()).toMatch(/^looking\nnvme0n1: securely.*\nvda: no secure.*\nerase: /);
});

test('a step that fails says why, also when it had noted something', async () => {
  const reports: Progress[] = [];
  const steps = reportedSteps(
    (report) => reports.push(report),
    7,
    () => {},
  );
  const failing = steps.run('erase', async () => {
    steps.note('sda: no secure erase: ATA security is frozen');
    throw new Error('sda: cannot be written');
  });
  await expect(failing).rejects.toThrow('cannot be written');
  expect(reports.at(-1)).toMatchObject({ state: 'failed', text: 'sda: cannot be written' });
});
