import type { AttemptView, MachineView, PhaseView } from '@ingot/contract/native.ts';

/** One machine of the demo: what the lab calls it, and what Ingot says once it knows it. */
export interface Row {
  name: string;
  firmware: string;
  /** What the story is waiting for. */
  doing: string;
  since: number;
  machine: MachineView | null;
  /** Seconds that phases took another time, by "kind: phase" and turn; what Ingot says goes before it. */
  typical: Record<string, number[]>;
}

const SHOWN_PHASES = 5;
const BAR = 20;

/** The lines for all machines at `nowMs`; no line longer than `width`. */
export function paint(rows: Row[], nowMs: number, width: number): string[] {
  return rows
    .flatMap((row) => [
      headline(row, nowMs, width),
      ...(row.machine?.attempt ? phaseLines(row.machine.attempt, row.typical, nowMs, width) : []),
    ])
    .map((line) => cut(line, width));
}

const cut = (line: string, width: number): string => (line.length > width ? `${line.slice(0, width - 1)}…` : line);

/** The elapsed time is what moves: where the line is too narrow, the words before it give way. */
function headline(row: Row, nowMs: number, width: number): string {
  const known = row.machine ? `${row.machine.hostname} is ${row.machine.statusName}` : 'not known to Ingot yet';
  const elapsed = clock((nowMs - row.since) / 1000);
  return `${cut(`${row.name} (${row.firmware})  ${known}  ·  ${row.doing}`, width - elapsed.length - 1)} ${elapsed}`;
}

function phaseLines(attempt: AttemptView, known: Row['typical'], nowMs: number, width: number): string[] {
  // What a phase is called may take what its time and "of about 100" leave.
  const name = Math.max(8, Math.min(34, width - 30));
  const from = Math.max(0, attempt.phases.length - SHOWN_PHASES);
  return attempt.phases.slice(from).map((phase, index) => {
    const turn = attempt.phases.slice(0, from + index).filter((earlier) => earlier.name === phase.name).length;
    const ended = phase.endedAt !== null;
    const seconds = ended ? phase.seconds : Math.max(0, (nowMs - Date.parse(phase.startedAt)) / 1000);
    const expected = phase.typicalSeconds ?? known[`${attempt.kind}: ${phase.name}`]?.[turn] ?? null;
    const typical = expected === null ? '' : ` of about ${Math.max(1, Math.round(expected))}`;
    const mark = ended ? '✓' : '▸';
    const time = `${seconds.toFixed(1).padStart(6)} s${ended ? '' : typical}`;
    const line = `  ${mark} ${cut(`${attempt.kind} ${phase.name}`, name).padEnd(name)} ${time}`;
    const more = transfer(phase, seconds, expected);
    // Half a bar says nothing.
    return line.length + more.length > width ? line : line + more;
  });
}

/** By bytes where they are known, else by the typical time; nothing when neither is. */
function transfer(phase: PhaseView, seconds: number, expected: number | null): string {
  if (phase.endedAt !== null) return '';
  if (phase.bytesDone !== null && phase.bytesTotal) {
    return `  ${bar(phase.bytesDone / phase.bytesTotal)} ${megabytes(phase.bytesDone)}/${megabytes(phase.bytesTotal)} MB`;
  }
  return expected ? `  ${bar(seconds / expected)}` : '';
}

export function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}]`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
