import { bar } from './words.ts';

/** One line of progress, redrawn on a terminal; elsewhere one line a step. */
export interface ProgressLine {
  step(progress: { step: string; fraction: number | null; text: string }): void;
  done(): void;
}

export function progressLine(out: NodeJS.WriteStream, live: boolean, title: string): ProgressLine {
  let last = '';
  return {
    step({ step, fraction, text }) {
      if (!live) {
        if (step !== last) out.write(`${title}: ${step}\n`);
        last = step;
        return;
      }
      const part = fraction === null ? '' : ` ${bar(fraction)} ${String(Math.round(fraction * 100)).padStart(3)} %`;
      const line = `${title}: ${step}${part}  ${text}`.slice(0, Math.max(20, (out.columns ?? 80) - 1));
      out.write(`\r\u001b[2K${line}`);
      last = line;
    },
    done() {
      if (live && last !== '') out.write('\r\u001b[2K');
    },
  };
}
