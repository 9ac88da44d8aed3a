import { expect, it } from 'vitest';
import { judge } from '../harness/judge.ts';
import { rowsOf } from './bench.ts';
import { addressOf, deadOf, type Hall, isDead, isOn, type Sweep, sweepOf } from './order.ts';

const HALL: Hall = { second: 88, port: 6239, count: 1000, deadEvery: 20 };

it('a hall of a thousand has a thousand addresses, one in twenty dead', () => {
  const addresses = Array.from({ length: HALL.count }, (_, index) => addressOf(HALL, index));
  expect(new Set(addresses).size).toBe(1000);
  expect([addresses[0], addresses[249], addresses[250], addresses[999]]).toEqual([
    '127.88.1.1',
    '127.88.1.250',
    '127.88.2.1',
    '127.88.4.250',
  ]);
  expect(deadOf(HALL)).toBe(50);
});

it('a sweep tells the last live answer from the last outcome, and counts what is wrong', () => {
  const hall = { ...HALL, count: 20 };
  const right = Array.from({ length: 20 }, (_, index) =>
    isDead(hall, index)
      ? { atMs: 7500, state: null }
      : { atMs: 100 + index, state: isOn(index) ? ('on' as const) : ('off' as const) },
  );
  expect(sweepOf(hall, right, 1)).toEqual({
    liveSeconds: 0.119,
    wholeSeconds: 7.5,
    waitingThen: 1,
    cpuSeconds: 1,
    wrong: 0,
  });
  const lying = right.map((outcome, index) => (index === 3 ? { atMs: 1, state: 'on' as const } : outcome));
  expect(sweepOf(hall, lying, 1).wrong).toBe(1);
  expect(sweepOf(hall, [null, ...right.slice(1)], 1)).toMatchObject({ wrong: 1, waitingThen: 2 });
});

it('each reach is judged by itself', () => {
  const sweep = (changes: Partial<Sweep>): Sweep[] => [
    { liveSeconds: 1, wholeSeconds: 8, waitingThen: 50, cpuSeconds: 0.5, wrong: 0, ...changes },
  ];
  const missed = (ours: Partial<Sweep>) =>
    rowsOf(
      new Map([
        ['ingot', sweep(ours)],
        ['one ipmipower, 64 hosts at once', sweep({ liveSeconds: 1.2, cpuSeconds: 1 })],
        ['one ipmipower, 256 hosts at once', sweep({ liveSeconds: 2, cpuSeconds: 2 })],
        ['ipmipower a host', sweep({ liveSeconds: 10 })],
        ['ipmitool a host', sweep({ liveSeconds: 50 })],
      ]),
    ).flatMap((row) => judge(row).flatMap((verdict) => (verdict.reached ? [] : [`${row.theirs?.name}: ${row.what}`])));
  expect(missed({})).toEqual([]);
  expect(missed({ liveSeconds: 1.01 })).toHaveLength(3);
  expect(missed({ cpuSeconds: 0.51 })).toEqual(['one ipmipower, 64 hosts at once: 950 live answers all in']);
  expect(missed({ wholeSeconds: 9.6 })).toHaveLength(2);
  expect(missed({ waitingThen: 49, wrong: 1 })).toHaveLength(4);
});
