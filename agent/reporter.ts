import type { Progress, Report, ScriptOutcome } from '@ingot/contract/agent.ts';
import { type RackClient, Refused } from './rack-client.ts';

export interface Reporter {
  /** Queue a report; never waits, keeps the order. */
  report(progress: Progress): void;
  /** Queue a script's outcome behind what was reported before it. */
  result(resultId: number, outcome: ScriptOutcome): void;
  /** A line on the console and in the journal. */
  say(line: string): void;
  /** Resolves when everything queued is with the region. */
  flushed(): Promise<void>;
  stop(): void;
}

interface Queued {
  report: Report;
  /** News of this running step: the next one replaces it. */
  running: string | null;
  /** It must not get lost: a script's outcome, or where a step begins and ends. */
  kept: boolean;
}

/** What is sent at once; the region takes 50 reports and 8 MiB. */
const MOST_AT_ONCE = 20;
const OUTPUT_AT_ONCE = 2 * 1024 * 1024;

/** Longest queue while the region is away; then news of running steps go first. */
const MAX_QUEUE = 2000;
const HEARTBEAT_MS = 30_000;

/**
 * Sends reports beside the work, so that no step waits for a round trip, and a heartbeat every 30 s. One request at a time;
 * what gathers meanwhile goes with the next one.
 */
export function startReporter(client: RackClient, say: (line: string) => void): Reporter {
  let queue: Queued[] = [];
  let sending: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const reports = queue.splice(0, howManyAtOnce(queue)).map(({ report }) => report);
      try {
        await send(client, reports);
      } catch (error) {
        // Refused: the attempt is over. What the work itself asks next is refused too and says so.
        if (!(error instanceof Refused)) throw error;
        queue = [];
      }
    }
    sending = null;
  };
  const enqueue = (item: Queued) => {
    if (item.running !== null && queue.at(-1)?.running === item.running) queue.pop();
    if (queue.length >= MAX_QUEUE) queue = queue.filter(({ kept }) => kept).slice(-MAX_QUEUE / 2);
    queue.push(item);
    sending ??= drain();
  };
  const report = (progress: Progress) =>
    enqueue({
      report: { progress },
      running: progress.state === 'running' ? progress.name : null,
      kept: progress.state !== 'running',
    });
  const timer = setInterval(() => report({ kind: 'heartbeat', name: 'agent', state: 'running' }), HEARTBEAT_MS);
  return {
    report,
    result: (resultId, outcome) => enqueue({ report: { resultId, outcome }, running: null, kept: true }),
    say,
    flushed: async () => {
      while (sending !== null) await sending;
    },
    stop: () => clearInterval(timer),
  };
}

/** As many as fit, at least one: an outcome carries up to four streams of 1 MiB. */
function howManyAtOnce(queue: readonly Queued[]): number {
  let output = 0;
  let count = 0;
  for (const { report } of queue.slice(0, MOST_AT_ONCE)) {
    if ('outcome' in report) {
      const { outcome } = report;
      output += outcome.output.length + outcome.stdout.length + outcome.stderr.length + outcome.result.length;
    }
    if (count > 0 && output > OUTPUT_AT_ONCE) break;
    count += 1;
  }
  return count;
}

function send(client: RackClient, reports: Report[]): Promise<void> {
  const [first, ...others] = reports;
  if (first === undefined || others.length > 0) return client.reports(reports);
  return 'progress' in first ? client.progress(first.progress) : client.result(first.resultId, first.outcome);
}
