import type { Goal, Row, Sample, Side } from './bench.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const values = (side: Side): number[] => side.samples.map((sample) => sample.value);

export interface Figures {
  median: number;
  best: number;
  /** Median over the runs; null when a run has none. */
  cpuSeconds: number | null;
}

export function figures(side: Side, better: Row['better']): Figures {
  const cpu = side.samples.map((sample) => sample.cpuSeconds);
  const known = cpu.filter((seconds) => seconds !== null);
  return {
    median: median(values(side)),
    best: better === 'more' ? Math.max(...values(side)) : Math.min(...values(side)),
    cpuSeconds: known.length === cpu.length ? median(known) : null,
  };
}

/** The median over the rounds of the pairs' ratios: what disturbed a round disturbed both of its sides. */
function pairedRatio(ours: Side, theirs: Side, of: (sample: Sample) => number | null): number | null {
  const ratios: number[] = [];
  for (const [i, sample] of ours.samples.entries()) {
    const other = theirs.samples[i];
    const a = of(sample);
    const b = other === undefined ? null : of(other);
    if (a === null || b === null || b === 0) return null;
    ratios.push(a / b);
  }
  return ratios.length > 0 ? median(ratios) : null;
}

/** How many times faster we are; null without another side. */
export function speedRatio(row: Row): number | null {
  if (row.theirs === null) return null;
  return row.better === 'more'
    ? pairedRatio(row.ours, row.theirs, (sample) => sample.value)
    : pairedRatio(row.theirs, row.ours, (sample) => sample.value);
}

/** Our CPU seconds over theirs. */
export function cpuRatio(row: Row): number | null {
  return row.theirs === null ? null : pairedRatio(row.ours, row.theirs, (sample) => sample.cpuSeconds);
}

export interface Verdict {
  goal: Goal;
  /** Null: could not be measured, which is not reached. */
  measured: number | null;
  reached: boolean;
}

/** Compares the numbers as they are; nothing is rounded before. */
export function judge(row: Row): Verdict[] {
  return row.goals.map((goal) => {
    const measured =
      goal.of === 'speed' ? speedRatio(row) : goal.of === 'cpu' ? cpuRatio(row) : figures(row.ours, row.better).median;
    const reached = measured !== null && (goal.is === 'at least' ? measured >= goal.value : measured <= goal.value);
    return { goal, measured, reached };
  });
}

/** Three digits, cut off towards the worse side, so that a printed number never flatters. */
export function cutOff(value: number, worse: 'lower' | 'higher'): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  const scale = 10 ** Math.min(digits, 3);
  // 1e-9: 0.29 * 100 is 28.999999999999996.
  const cut = worse === 'lower' ? Math.floor(value * scale + 1e-9) : Math.ceil(value * scale - 1e-9);
  return (cut / scale).toFixed(Math.min(digits, 3));
}
