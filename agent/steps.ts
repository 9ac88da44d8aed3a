import type { Progress } from '@ingot/contract/agent.ts';

/** Of a report's text; the contract takes 4096 characters. */
const TEXT = 4000;

/** Work in reported pieces. */
export interface Steps {
  /** Run one piece; its start, progress (at most once a second), end and seconds are reported. A throw is reported and passed on. */
  run<T>(name: string, work: (progress: (bytesDone: number, bytesTotal: number) => void) => Promise<T>): Promise<T>;
  log(line: string): void;
  /** A line that also belongs into the report of the running step's end: what was found, or done otherwise than asked. */
  note(line: string): void;
  /** Everything said so far, for the result's output. */
  text(): string;
}

export function reportedSteps(
  report: (progress: Progress) => void,
  resultId: number,
  say: (line: string) => void,
): Steps {
  const lines: string[] = [];
  const log = (line: string) => {
    lines.push(line);
    say(line);
  };
  let notes: string[] = [];
  return {
    log,
    note: (line) => {
      notes.push(line);
      log(line);
    },
    text: () => `${lines.join('\n')}\n`,
    run: async (name, work) => {
      const start = performance.now();
      let last = start;
      notes = [];
      let bytes: { bytesDone: number; bytesTotal: number } | null = null;
      const seconds = () => Math.round(performance.now() - start) / 1000;
      report({ kind: 'step', name, state: 'started', resultId });
      try {
        const value = await work((bytesDone, bytesTotal) => {
          bytes = { bytesDone, bytesTotal };
          if (performance.now() - last < 1000) return;
          last = performance.now();
          report({ kind: 'step', name, state: 'running', resultId, seconds: seconds(), ...bytes });
        });
        const told = notes.length === 0 ? {} : { text: notes.join('; ').slice(0, TEXT) };
        report({ kind: 'step', name, state: 'finished', resultId, seconds: seconds(), ...told, ...(bytes ?? {}) });
        log(`${name}: ${seconds()} s`);
        return value;
      } catch (error) {
        const text = (error instanceof Error ? error.message : String(error)).slice(0, TEXT);
        report({ kind: 'step', name, state: 'failed', resultId, seconds: seconds(), text, ...(bytes ?? {}) });
        log(`${name}: failed after ${seconds()} s: ${text}`);
        throw error;
      }
    },
  };
}
