import { expect, test } from 'vitest';
import { createTurnstile, TurnstileFull } from './turnstile.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

test('so many at a time, the others in their order, whatever becomes of those before them', async () => {
  const turnstile = createTurnstile(2, 10);
  const ends: ((error?: Error) => void)[] = [];
  const begun: number[] = [];
  const work = (name: number) => () => {
    begun.push(name);
    return new Promise<number>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve(name))));
  };
  const all = [1, 2, 3, 4].map((name) => turnstile.pass(work(name)));
  await tick();
  expect([begun, turnstile.waiting()]).toEqual([[1, 2], 2]);
  ends[1]?.(new Error('broken'));
  await expect(all[1]).rejects.toThrow('broken');
  await tick();
  expect(begun).toEqual([1, 2, 3]);
  for (let at = 0; at < 4; at += 1) {
    if (at !== 1) ends[at]?.();
    await tick();
  }
  expect(await Promise.all([all[0], all[2], all[3]])).toEqual([1, 3, 4]);
  // All places are free again.
  const more = [5, 6].map((name) => turnstile.pass(work(name)));
  await tick();
  expect(begun).toEqual([1, 2, 3, 4, 5, 6]);
  ends[4]?.();
  ends[5]?.();
  await Promise.all(more);
});

test('a line that is too long is refused at once, with what an agent takes as "ask again"', async () => {
  const turnstile = createTurnstile(1, 1);
  let end = () => {};
  const first = turnstile.pass(
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  const second = turnstile.pass(async () => 'second');
  await expect(turnstile.pass(async () => 'third')).rejects.toThrow(TurnstileFull);
  await expect(turnstile.pass(async () => 'third')).rejects.toMatchObject({ statusCode: 503 });
  end();
  expect([await first, await second]).toEqual([undefined, 'second']);
});
