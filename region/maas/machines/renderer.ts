import type { RegionDeps } from '../../deps.ts';
import { drainBodies } from './stored.ts';

const EVERY_MS = 1000;
/** While machines change all the time, what is rendered now is stale a moment later: only so often then. */
const BUSY_EVERY_MS = 10_000;
/** Machines in one go: what is left waits a second, so that requests come first. */
const BATCH = 200;

/**
 * Renders stale bodies behind the readers' backs, so that a list finds few of them and marks do not pile up where nobody
 * reads. Looks only after a change was announced: a second after the last one, or every ten seconds where they do not end.
 * Returns the way to stop, which waits for the batch under way.
 */
export function startRenderer(deps: Pick<RegionDeps, 'db' | 'changes' | 'log'>): () => Promise<void> {
  // What was marked before this process started.
  let wanted = true;
  let changedAt = Number.NEGATIVE_INFINITY;
  let drainedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;
  const unsubscribe = deps.changes.subscribe(() => {
    wanted = true;
    changedAt = performance.now();
  });
  const drain = async (): Promise<void> => {
    wanted = false;
    try {
      if ((await drainBodies(deps.db, BATCH)) === BATCH) wanted = true;
    } catch (error) {
      wanted = true;
      deps.log.warn({ err: error }, 'stale machine bodies could not be rendered; the next second tries again');
    }
  };
  const timer = setInterval(() => {
    if (!wanted || running !== null) return;
    const now = performance.now();
    if (now - changedAt < EVERY_MS && now - drainedAt < BUSY_EVERY_MS) return;
    drainedAt = now;
    running = drain().finally(() => {
      running = null;
    });
  }, EVERY_MS);
  return async () => {
    clearInterval(timer);
    unsubscribe();
    await running;
  };
}
