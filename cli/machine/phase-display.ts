import type { AttemptView } from '@ingot/contract/native.ts';
import { clipped, type Palette } from '../format/colour.ts';
import { isWhereItFailed, nameWidth, phaseLine } from '../format/timeline.ts';

/** Shows the phases of attempts as they go by. */
export interface PhaseDisplay {
  show(machine: string, attempt: AttemptView, now: number): void;
  /** Leaves the cursor below what was shown. */
  done(): void;
}

/**
 * On a terminal one line a phase, the running one redrawn; elsewhere one line when a phase begins and one when it has
 * ended, so that a log reads well.
 */
export function phaseDisplay(
  out: NodeJS.WritableStream & { columns?: number },
  live: boolean,
  colours: Palette,
): PhaseDisplay {
  let attemptId: number | null = null;
  const printed = new Set<string>();
  let drawn = 0;
  const begin = (machine: string, attempt: AttemptView) => {
    if (attempt.id === attemptId) return;
    attemptId = attempt.id;
    drawn = 0;
    printed.clear();
    out.write(`${colours.bold(`${attempt.kind} ${machine}`)}\n`);
  };
  return {
    show(machine, attempt, now) {
      begin(machine, attempt);
      const lines = attempt.phases.map((phase) => {
        const failed = isWhereItFailed(attempt, phase);
        return {
          phase,
          running: phase.endedAt === null && !failed,
          text: `  ${phaseLine(phase, failed, now, colours, nameWidth(attempt))}`,
        };
      });
      if (live) {
        // Back to the first line of this attempt; every line is cleared before it is written again.
        out.write(drawn > 0 ? `\u001b[${drawn}A` : '');
        // A line that wraps would be two to go back over.
        const columns = (out.columns ?? 80) - 1;
        out.write(lines.map((line) => `\u001b[2K${clipped(line.text, columns)}\n`).join(''));
        drawn = lines.length;
        return;
      }
      for (const [n, line] of lines.entries()) {
        const key = `${n} ${line.running ? 'begun' : 'ended'}`;
        if (printed.has(key)) continue;
        printed.add(key);
        out.write(line.running ? `  … ${line.phase.name}\n` : `${line.text}\n`);
      }
    },
    done() {
      drawn = 0;
    },
  };
}
