import type { AttemptView, EvidenceView, PhaseView } from '@ingot/contract/native.ts';
import type { Palette } from './colour.ts';
import { bar, duration, relative, size } from './words.ts';

/** Lines of evidence shown under one phase; the first and the last ones say most. */
const EVIDENCE_SHOWN = 6;
/** Names of phases; a script's may be longer, and then all of its attempt are as wide. */
const NAME_WIDTH = 28;
const WIDEST_NAME = 48;

/**
 * An attempt as a timeline: each phase with its time, what is typical, its deadline while it runs, and what was seen in it;
 * at the end why it failed and what to do. `now` in ms.
 */
export function timeline(
  attempt: AttemptView,
  evidence: readonly EvidenceView[],
  now: number,
  colours: Palette,
): string {
  const lines = [headline(attempt, now, colours)];
  for (const phase of attempt.phases) {
    lines.push(`  ${phaseLine(phase, isWhereItFailed(attempt, phase), now, colours, nameWidth(attempt))}`);
    for (const text of evidenceLines(phase, attempt, evidence)) lines.push(colours.dim(`      ${text}`));
  }
  if (attempt.failure) {
    const { code, message, evidence: seen, fix } = attempt.failure;
    lines.push(colours.red(`  ${code}: ${message}`));
    if (seen) lines.push(`  last seen: ${seen}`);
    lines.push(`  → ${fix}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Columns that the names of an attempt's phases take. */
export function nameWidth({ phases }: AttemptView): number {
  return Math.min(WIDEST_NAME, Math.max(NAME_WIDTH, ...phases.map(({ name }) => name.length)));
}

/** Where a failed attempt failed: the scripts that its message names, else the phase it was in. */
export function isWhereItFailed({ outcome, failure, phases }: AttemptView, phase: PhaseView): boolean {
  if (outcome !== 'failed') return false;
  const named = phases.filter(({ name }) => {
    const script = name.startsWith('script:') ? name.slice('script:'.length) : '';
    return script !== '' && failure?.message.includes(script) === true;
  });
  return named.length > 0 ? named.includes(phase) : phase === phases.at(-1);
}

function headline(attempt: AttemptView, now: number, colours: Palette): string {
  const started = Date.parse(attempt.startedAt);
  const took = duration(((attempt.endedAt ? Date.parse(attempt.endedAt) : now) - started) / 1000);
  const name = colours.bold(attempt.kind);
  if (attempt.outcome === null) return `${name}, running for ${took}`;
  const outcome = attempt.outcome === 'passed' ? colours.green('passed') : colours.red(attempt.outcome);
  return `${name} ${outcome} after ${took}, ${relative(started, now)}`;
}

/** "✓ dhcp             3.1 s  (typical 2.9 s)"; also the line that --wait redraws. */
export function phaseLine(
  phase: PhaseView,
  failed: boolean,
  now: number,
  colours: Palette,
  nameWidth = NAME_WIDTH,
): string {
  const running = phase.endedAt === null && !failed;
  const mark = failed ? colours.red('✗') : running ? colours.yellow('…') : colours.green('✓');
  const seconds = running ? Math.max(0, (now - Date.parse(phase.startedAt)) / 1000) : phase.seconds;
  const parts = [`${mark} ${phase.name.padEnd(nameWidth)} ${duration(seconds).padStart(11)}`];
  if (phase.typicalSeconds !== null) parts.push(typical(seconds, phase.typicalSeconds, colours));
  if (running && phase.bytesTotal !== null && phase.bytesTotal > 0) {
    parts.push(
      `${bar((phase.bytesDone ?? 0) / phase.bytesTotal)} ${size(phase.bytesDone ?? 0)} of ${size(phase.bytesTotal)}`,
    );
  } else if (!running && phase.bytesDone !== null && phase.bytesDone > 0) {
    parts.push(size(phase.bytesDone));
  }
  if (running && phase.deadline !== null) parts.push(`gives up ${relative(Date.parse(phase.deadline), now)}`);
  return parts.join('  ').trimEnd();
}

/** Twice the usual time and more than ten seconds over it is worth a look. */
function typical(seconds: number, usual: number, colours: Palette): string {
  const text = `(typical ${duration(usual)})`;
  return seconds > 2 * usual && seconds > usual + 10 ? colours.yellow(text) : colours.dim(text);
}

function evidenceLines(phase: PhaseView, attempt: AttemptView, evidence: readonly EvidenceView[]): string[] {
  const own = evidence.filter((one) => one.phase === phase.name && isWithin(one, phase, attempt));
  const text = (one: EvidenceView) => {
    const after = (Date.parse(one.at) - Date.parse(attempt.startedAt)) / 1000;
    return `+${duration(Math.max(0, after))}  ${one.kind}  ${one.text}`;
  };
  if (own.length <= EVIDENCE_SHOWN) return own.map(text);
  const half = EVIDENCE_SHOWN / 2;
  return [...own.slice(0, half).map(text), `… ${own.length - EVIDENCE_SHOWN} more`, ...own.slice(-half).map(text)];
}

/** A phase that comes twice (two boots) shows each time its own evidence. */
function isWithin(evidence: EvidenceView, phase: PhaseView, attempt: AttemptView): boolean {
  const sameName = attempt.phases.filter((one) => one.name === phase.name);
  if (sameName.length === 1) return true;
  const next = sameName[sameName.indexOf(phase) + 1];
  const isFirst = sameName[0] === phase;
  return (isFirst || evidence.at >= phase.startedAt) && (next === undefined || evidence.at < next.startedAt);
}
