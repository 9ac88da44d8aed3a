import type { Goal, Row } from './bench.ts';
import { cpuRatio, cutOff, type Figures, figures, judge, speedRatio, type Verdict } from './judge.ts';

/** One run of one bench, as it is stored. */
export interface BenchResult {
  bench: string;
  what: string;
  /** ISO 8601. */
  started: string;
  seconds: number;
  /** Load averages over one minute before and after. */
  load: [number, number];
  host: { cpus: number; model: string; node: string; kernel: string };
  rows: Row[];
}

const HEADINGS = ['What', 'Unit', 'Ours', 'Theirs', 'Faster', 'CPU s ours', 'CPU s theirs', 'CPU', 'Reach', 'Verdict'];

/** "0.9× as fast", "≤ 1.5× CPU", "≤ 50". */
export function goalText(goal: Goal): string {
  const sign = goal.is === 'at least' ? '≥' : '≤';
  return `${sign} ${goal.value}${goal.of === 'speed' ? '×' : goal.of === 'cpu' ? '× CPU' : ''}`;
}

function verdictText(verdicts: Verdict[]): string {
  if (verdicts.length === 0) return 'no reach set';
  const missed = verdicts.filter((verdict) => !verdict.reached);
  return missed.length === 0 ? 'reached' : `NOT reached: ${missed.map(({ goal }) => goalText(goal)).join(', ')}`;
}

/** Median, and the best run behind it. */
function pairText(of: Figures, worse: 'lower' | 'higher'): string {
  return `${cutOff(of.median, worse)} (${cutOff(of.best, worse)})`;
}

function cells(row: Row): string[] {
  const worse = row.better === 'more' ? 'lower' : 'higher';
  const ours = figures(row.ours, row.better);
  const theirs = row.theirs && figures(row.theirs, row.better);
  const speed = speedRatio(row);
  const cpu = cpuRatio(row);
  const seconds = (of: Figures | null) => (of === null || of.cpuSeconds === null ? '–' : of.cpuSeconds.toFixed(2));
  return [
    row.what,
    row.unit,
    pairText(ours, worse),
    theirs && row.theirs ? `${row.theirs.name} ${pairText(theirs, worse)}` : '–',
    speed === null ? '–' : `${cutOff(speed, 'lower')}×`,
    seconds(ours),
    seconds(theirs),
    cpu === null ? '–' : `${cutOff(cpu, 'higher')}×`,
    row.goals.map(goalText).join(', ') || '–',
    verdictText(judge(row)),
  ];
}

const notesOf = (result: BenchResult): string[] => [
  ...new Set(result.rows.flatMap((row) => (row.note === undefined ? [] : [row.note]))),
];

/** For a terminal; columns as wide as they need. */
export function plainTable(result: BenchResult): string {
  const lines = [HEADINGS, ...result.rows.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map((line) => [...(line[i] ?? '')].length)));
  const padded = (line: string[]) => line.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - [...cell].length));
  return [
    ...lines.map((line) => padded(line).join('  ').trimEnd()),
    `median (best); load ${result.load.map((load) => load.toFixed(1)).join(' → ')} on ${result.host.cpus} CPUs, ${result.seconds.toFixed(0)} s`,
    ...notesOf(result).map((note) => `note: ${note}`),
  ].join('\n');
}

/** A section for docs/performance.md. */
export function markdownSection(result: BenchResult): string {
  const line = (words: string[]) => `| ${words.map((word) => word.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `### ${result.bench}: ${result.what}`,
    '',
    line(HEADINGS),
    line(HEADINGS.map(() => '---')),
    ...result.rows.map((row) => line(cells(row))),
    '',
    `${result.started.slice(0, 10)}, ${result.host.cpus} × ${result.host.model}, Node ${result.host.node}, Linux ${result.host.kernel}, load ${result.load.map((load) => load.toFixed(1)).join(' → ')}, ${result.rows[0]?.ours.samples.length ?? 0} rounds.`,
    ...notesOf(result).flatMap((note) => ['', note]),
    '',
  ].join('\n');
}
