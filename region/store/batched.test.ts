import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { batched } from './batched.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Each batch takes 10 ms and answers with when it began. */
function recorded(limits: Parameters<typeof batched>[0]) {
  const batches: string[][] = [];
  const started = performance.now();
  const ask = batched(limits, async (items: readonly string[]) => {
    const at = Math.round(performance.now() - started);
    batches.push([...items]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    return items.map(() => at);
  });
  return { ask, batches };
}

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('whoever comes while a batch runs is gathered for the next one', async () => {
  const { ask, batches } = recorded({ size: 2, atOnce: 1 });
  const first = ask('a');
  await after(1);
  const others = [ask('b'), ask('c'), ask('d')];
  await after(40);
  expect(batches).toEqual([['a'], ['b', 'c'], ['d']]);
  expect(await Promise.all([first, ...others])).toEqual([0, 10, 10, 20]);
});

test('an error of a batch is told to all of its callers, and the next batch runs', async () => {
  let fail = true;
  const ask = batched({ size: 8, atOnce: 1 }, async (items: readonly number[]) => {
    if (fail) throw new Error('no connection');
    return items;
  });
  const told = Promise.allSettled([ask(1), ask(2)]);
  await after(1);
  expect((await told).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fail = false;
  const again = ask(3);
  await after(1);
  expect(await again).toBe(3);
});
