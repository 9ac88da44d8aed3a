import { join } from 'node:path';
import type { RegionDeps } from '../deps.ts';
import { listBlobs } from './blobs.ts';
import { namedBlobs } from './catalogue.ts';
import { dropBytes } from './upload/receive.ts';
import { forgetOldUploads } from './upload/upload-rows.ts';

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

/** Forgets uploads that nobody went on with for a day. Returns how many. */
export async function sweepUploads(deps: RegionDeps): Promise<number> {
  const forgotten = await forgetOldUploads(deps.db);
  for (const id of forgotten) await dropBytes(deps.stateDir, id);
  return forgotten.length;
}

/** Keeps the blob store free of what nobody needs, once an hour. Returns the way to stop. */
export function startImages(deps: RegionDeps): () => void {
  const sweep = async () => {
    try {
      const [uploads, removed] = [await sweepUploads(deps), await sweepBlobs(deps, Date.now())];
      if (uploads + removed > 0) deps.log.info({ uploads, removed }, 'old uploads and unnamed blobs removed');
    } catch (error) {
      deps.log.warn({ err: error }, 'blob store not swept');
    }
  };
  const timer = setInterval(() => void sweep(), EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
