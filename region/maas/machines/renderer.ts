import type { RegionDeps } from '../../deps.ts';
import { drainBodies } from './stored.ts';

const EVERY_MS = 1000;
/** Machines in one go: what is left waits a second, so that requests come first. */
const BATCH = 200;

/**
 * Renders stale bodies behind the readers' backs, so that a list finds few of them and marks do not pile up where nobody
 * reads. Looks only after a change was announced. Returns the way to stop, which waits for the batch under way.
 */
export function startRenderer(deps: Pick<RegionDeps, 'db' | 'changes' | 'log'>): () => Promise<void> {
  // What was marked before this process started.
  let wanted = true;
  let running: Promise<void> | null = null;
  const unsubscribe = deps.changes.subscribe(() => {
    wanted = true;
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
