import type { AttemptView, MachineView, PhaseView } from '@ingot/contract/native.ts';

/** One machine of the demo: what the lab calls it, and what Ingot says once it knows it. */
export interface Row {
  name: string;
  firmware: string;
  /** What the story is waiting for. */
  doing: string;
  since: number;
  machine: MachineView | null;
}

const SHOWN_PHASES = 5;
const BAR = 20;

/** The lines for all machines at `nowMs`; no line longer than `width`. */
export function paint(rows: Row[], nowMs: number, width: number): string[] {
  return rows
    .flatMap((row) => [headline(row, nowMs), ...(row.machine?.attempt ? phaseLines(row.machine.attempt, nowMs) : [])])
    .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line));
}

function headline(row: Row, nowMs: number): string {
  const known = row.machine ? `${row.machine.hostname} is ${row.machine.statusName}` : 'not known to Ingot yet';
  return `${row.name} (${row.firmware})  ${known}  ·  ${row.doing} ${clock((nowMs - row.since) / 1000)}`;
}

function phaseLines(attempt: AttemptView, nowMs: number): string[] {
  return attempt.phases.slice(-SHOWN_PHASES).map((phase) => {
    const ended = phase.endedAt !== null;
    const seconds = ended ? phase.seconds : Math.max(0, (nowMs - Date.parse(phase.startedAt)) / 1000);
    const typical = phase.typicalSeconds === null ? '' : ` of about ${Math.round(phase.typicalSeconds)}`;
    const mark = ended ? '✓' : '▸';
    return `  ${mark} ${`${attempt.kind} ${phase.name}`.padEnd(34)} ${seconds.toFixed(1).padStart(6)} s${ended ? '' : typical}${transfer(phase, seconds)}`;
  });
}

/** By bytes where they are known, else by the typical time; nothing when neither is. */
function transfer(phase: PhaseView, seconds: number): string {
  if (phase.endedAt !== null) return '';
  if (phase.bytesDone !== null && phase.bytesTotal) {
    return `  ${bar(phase.bytesDone / phase.bytesTotal)} ${megabytes(phase.bytesDone)}/${megabytes(phase.bytesTotal)} MB`;
  }
  return phase.typicalSeconds ? `  ${bar(seconds / phase.typicalSeconds)}` : '';
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
