import { expect, test } from 'vitest';
import { stayUntil } from './interruption.ts';

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('whoever waits for Ctrl-C has something that keeps the process alive, and lets go of it', async () => {
  const before = timers();
  let interrupt = (): void => undefined;
  const staying = stayUntil(new Promise<void>((resolve) => (interrupt = resolve)));
  expect(timers()).toBe(before + 1);
  interrupt();
  await staying;
  expect(timers()).toBe(before);
});
