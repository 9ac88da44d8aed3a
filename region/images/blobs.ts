import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobStore } from '../deps.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/** Reads in steps of 512 KiB: large enough to keep a disk busy, small enough not to hold memory. */
const STEP = 512 * 1024;

/** SHA-256 and size of a file, read once. */
export async function sumOf(file: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: STEP })) {
    const bytes: Buffer = chunk;
    hash.update(bytes);
    size += bytes.length;
  }
  return { sha256: hash.digest('hex'), size };
}

/** A file whose name promises its content must be on the disk before the name is. */
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Content-addressed files at `dir`/sha256/aa/HEX. `adopt` moves a finished file in; a crash in it leaves either the old
 * name or the new one, never half a blob. Sums are lower-case hex; any other text throws, so no path can leave `dir`.
 */
export function openBlobStore(dir: string): BlobStore {
  function path(sha256: string): string {
    if (!SHA256.test(sha256)) throw new Error(`not a sha256 sum: ${JSON.stringify(sha256.slice(0, 80))}`);
    return join(dir, 'sha256', sha256.slice(0, 2), sha256);
  }

  async function has(sha256: string): Promise<boolean> {
    try {
      await access(path(sha256));
      return true;
    } catch {
      return false;
    }
  }

  async function moveIn(file: string, target: string): Promise<void> {
    await syncPath(file);
    try {
      await rename(file, target);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
      // Built on another filesystem: copy beside the target first, so that the last step is still a rename.
      const beside = `${target}.partial`;
      await copyFile(file, beside);
      await syncPath(beside);
      await rename(beside, target);
      await rm(file, { force: true });
    }
    await syncPath(dirname(target));
  }

  async function adopt(file: string): Promise<{ sha256: string; size: number }> {
    const sum = await sumOf(file);
    const target = path(sum.sha256);
    await mkdir(dirname(target), { recursive: true });
    const present = await stat(target).catch(() => null);
    if (present?.size === sum.size) await rm(file, { force: true });
    else await moveIn(file, target);
    return sum;
  }

  return { path, has, adopt, remove: (sha256) => rm(path(sha256), { force: true }) };
}

/** Sums of all blobs below `dir` that were last touched before `olderThan`, for the clean-up. */
export async function listBlobs(dir: string, olderThan: Date): Promise<string[]> {
  const found: string[] = [];
  const prefixes = await readdir(join(dir, 'sha256')).catch(() => []);
  for (const prefix of prefixes.filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    for (const name of await readdir(join(dir, 'sha256', prefix))) {
      const age = SHA256.test(name) ? await stat(join(dir, 'sha256', prefix, name)).catch(() => null) : null;
      // The change time: a file that was built long ago may have been moved in just now.
      if (age && age.ctime < olderThan) found.push(name);
    }
  }
  return found;
}
