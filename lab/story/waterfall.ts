import type { AttemptView, EvidenceView } from '@ingot/contract/native.ts';

export interface PhaseTime {
  /** "commission: script 20-inventory" */
  name: string;
  seconds: number;
  /** Of these, seconds in which only Ingot was waited for. */
  own: number;
}

/** Attempts in the order they happened, as one list of phases. */
export function phasesOf(attempts: AttemptView[]): PhaseTime[] {
  return attempts
    .toSorted((a, b) => a.id - b.id)
    .flatMap((attempt) =>
      attempt.phases.map((phase) => ({
        name: `${attempt.kind}: ${phase.name}`,
        seconds: tenth(phase.seconds),
        own: tenth(phase.ownSeconds ?? 0),
      })),
    );
}

export function sumOwn(phases: PhaseTime[]): number {
  return tenth(phases.reduce((sum, phase) => sum + phase.own, 0));
}

function tenth(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

/** An attempt told line by line, for a person who wants to know why it failed. */
export function timeline(attempt: AttemptView, evidence: EvidenceView[]): string {
  const lines = [`attempt ${attempt.id}: ${attempt.kind}, ${attempt.outcome ?? 'running'}`];
  for (const phase of attempt.phases) {
    const state = phase.endedAt === null ? 'not ended' : `${phase.seconds.toFixed(1)} s`;
    lines.push(`  ${phase.name.padEnd(28)} ${state}`);
    for (const item of evidence.filter((candidate) => candidate.phase === phase.name).slice(-8)) {
      lines.push(`      ${item.at} ${item.kind}: ${item.text}`);
    }
  }
  if (attempt.failure) {
    const { code, message, evidence: seen, fix } = attempt.failure;
    lines.push(`  ${code}: ${message}${seen ? `\n  seen: ${seen}` : ''}\n  ${fix}`);
  }
  return lines.join('\n');
}
