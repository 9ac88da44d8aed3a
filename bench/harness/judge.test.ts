import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Goal, Row, Side } from './bench.ts';
import { cpuRatio, cutOff, judge, median, speedRatio } from './judge.ts';

const side = (name: string, values: number[], cpu: (number | null)[] = values.map(() => null)): Side => ({
  name,
  samples: values.map((value, i) => ({ value, cpuSeconds: cpu[i] ?? null })),
});
const row = (ours: Side, theirs: Side | null, goals: Goal[], better: Row['better'] = 'more'): Row => ({
  what: 'row',
  unit: 'MiB/s',
  better,
  ours,
  theirs,
  goals,
});

describe('a verdict', () => {
  it('is not reached by a hair, and not by rounding', () => {
    const [verdict] = judge(row(side('a', [0.8999]), side('b', [1]), [{ of: 'speed', is: 'at least', value: 0.9 }]));
    expect(verdict).toMatchObject({ reached: false, measured: 0.8999 });
    expect(cutOff(0.8999, 'lower')).toBe('0.899');
    expect(cutOff(1.5001, 'higher')).toBe('1.51');
  });

  it('counts speed the same way for rates and for times', () => {
    expect(speedRatio(row(side('a', [200]), side('b', [100]), []))).toBe(2);
    expect(speedRatio(row(side('a', [5]), side('b', [10]), [], 'less'))).toBe(2);
  });

  it('compares within a round, so that a busy minute does not decide', () => {
    // In the second round the host was ten times slower for both.
    expect(speedRatio(row(side('a', [100, 10, 100]), side('b', [50, 5, 50]), []))).toBe(2);
  });

  it('is not reached when there is nothing to compare', () => {
    const goals: Goal[] = [
      { of: 'cpu', is: 'at most', value: 1.5 },
      { of: 'ours', is: 'at most', value: 7 },
    ];
    expect(judge(row(side('a', [6]), side('b', [6]), goals)).map((v) => v.reached)).toEqual([false, true]);
    expect(cpuRatio(row(side('a', [1], [3]), side('b', [1], [2]), []))).toBe(1.5);
    expect(judge(row(side('a', [6]), null, [{ of: 'speed', is: 'at least', value: 1 }]))[0]?.reached).toBe(false);
  });
});

describe('numbers', () => {
  it('are never printed better than they are', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e6, noNaN: true }), (value) => {
        expect(Number(cutOff(value, 'lower'))).toBeLessThanOrEqual(value * (1 + 1e-6));
        expect(Number(cutOff(value, 'higher'))).toBeGreaterThanOrEqual(value * (1 - 1e-6));
      }),
    );
  });

  it('have a median between their ends', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});
