import type { Progress } from '@ingot/contract/agent.ts';
import { type RackClient, Refused } from './rack-client.ts';

export interface Reporter {
  /** Queue a report; never waits, keeps the order. */
  report(progress: Progress): void;
  /** A line on the console and in the journal. */
  say(line: string): void;
  /** Resolves when everything queued is with the region. */
  flushed(): Promise<void>;
  stop(): void;
}

/** Longest queue while the region is away; then news of running steps go first, as the next one replaces them. */
const MAX_QUEUE = 2000;
const HEARTBEAT_MS = 30_000;

/** Sends progress one by one beside the work, so that no step waits for a round trip, and a heartbeat every 30 s. */
export function startReporter(client: RackClient, say: (line: string) => void): Reporter {
  let queue: Progress[] = [];
  let sending: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await client.progress(next);
      } catch (error) {
        // Refused: the attempt is over. What the work itself asks next is refused too and says so.
        if (!(error instanceof Refused)) throw error;
        queue = [];
      }
    }
    sending = null;
  };
  const report = (progress: Progress) => {
    const last = queue.at(-1);
    if (progress.state === 'running' && last?.state === 'running' && last.name === progress.name) queue.pop();
    if (queue.length >= MAX_QUEUE) queue = queue.filter((item) => item.state !== 'running').slice(-MAX_QUEUE / 2);
    queue.push(progress);
    sending ??= drain();
  };
  const timer = setInterval(() => report({ kind: 'heartbeat', name: 'agent', state: 'running' }), HEARTBEAT_MS);
  return {
    report,
    say,
    flushed: async () => {
      while (sending !== null) await sending;
    },
    stop: () => clearInterval(timer),
  };
}
