import { join } from 'node:path';
import type { RegionDeps } from '../deps.ts';
import { listBlobs } from './blobs.ts';
import { namedBlobs } from './catalogue.ts';

const EVERY_MS = 60 * 60_000;
/** A blob is moved in before its image is listed: between the two nothing names it. */
const UNNAMED_MS = 60 * 60_000;

/** Removes blobs that no image names any more. Returns how many went. */
export async function sweepBlobs(deps: RegionDeps, now: number): Promise<number> {
  const old = await listBlobs(join(deps.stateDir, 'blobs'), new Date(now - UNNAMED_MS));
  // Read after the list: a blob that gets a name meanwhile is in it.
  const named = await namedBlobs(deps.db);
  const unnamed = old.filter((sha256) => !named.has(sha256));
  for (const sha256 of unnamed) await deps.blobs.remove(sha256);
  return unnamed.length;
}

/** Keeps the blob store free of what nobody needs, once an hour. Returns the way to stop. */
export function startImages(deps: RegionDeps): () => void {
  const sweep = () =>
    sweepBlobs(deps, Date.now()).then(
      (removed) => removed > 0 && deps.log.info({ removed }, 'unnamed blobs removed'),
      (error) => deps.log.warn({ err: error }, 'blob store not swept'),
    );
  const timer = setInterval(sweep, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
