import type { AttemptView } from '@ingot/contract/native.ts';
import type { Palette } from '../format/colour.ts';
import { phaseLine } from '../format/timeline.ts';

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
export function phaseDisplay(out: NodeJS.WritableStream, live: boolean, colours: Palette): PhaseDisplay {
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
      const lines = attempt.phases.map((phase, n) => {
        const failed = attempt.outcome === 'failed' && n === attempt.phases.length - 1;
        return {
          phase,
          running: phase.endedAt === null && !failed,
          text: `  ${phaseLine(phase, failed, now, colours)}`,
        };
      });
      if (live) {
        // Back to the first line of this attempt; every line is cleared before it is written again.
        out.write(drawn > 0 ? `\u001b[${drawn}A` : '');
        out.write(lines.map((line) => `\u001b[2K${line.text}\n`).join(''));
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
