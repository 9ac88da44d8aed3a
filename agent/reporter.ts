import type { Progress, ScriptOutcome } from '@ingot/contract/agent.ts';
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
  send(): Promise<void>;
  /** News of this running step: the next one replaces it. */
  running: string | null;
  /** It must not get lost: a script's outcome, or where a step begins and ends. */
  kept: boolean;
}

/** Longest queue while the region is away; then news of running steps go first. */
const MAX_QUEUE = 2000;
const HEARTBEAT_MS = 30_000;

/** Sends reports one by one beside the work, so that no step waits for a round trip, and a heartbeat every 30 s. */
export function startReporter(client: RackClient, say: (line: string) => void): Reporter {
  let queue: Queued[] = [];
  let sending: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await next.send();
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
      send: () => client.progress(progress),
      running: progress.state === 'running' ? progress.name : null,
      kept: progress.state !== 'running',
    });
  const timer = setInterval(() => report({ kind: 'heartbeat', name: 'agent', state: 'running' }), HEARTBEAT_MS);
  return {
    report,
    result: (resultId, outcome) => enqueue({ send: () => client.result(resultId, outcome), running: null, kept: true }),
    say,
    flushed: async () => {
      while (sending !== null) await sending;
    },
    stop: () => clearInterval(timer),
  };
}
