import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { RegionClient } from '../forward/region-client.ts';

export type Cached =
  | { kind: 'file'; path: string; size: number }
  /** The region does not have it either. */
  | { kind: 'missing' }
  /** The region is away or the transfer failed; try again later. */
  | { kind: 'unavailable'; why: string };

export interface ImageCache {
  /** The verified file, fetched when needed; several askers share one transfer. */
  get(sha256: string): Promise<Cached>;
  /** These stay whatever the limit says: the machines in attempts need them. */
  pin(sums: readonly string[]): void;
  bytes(): number;
  close(): Promise<void>;
}

export interface ImageCacheOptions {
  dir: string;
  region: RegionClient;
  /** The region's own blobs directory when on the same host: files are linked instead of copied, and still verified. */
  blobs: string | null;
  limitBytes: number;
  log: Logger;
}

const SUM = /^[0-9a-f]{64}$/;
const TOUCH_EVERY_MS = 60_000;

/** Files by their SHA-256, least recently used first out. A file under its final name has been verified. */
export async function openImageCache(options: ImageCacheOptions): Promise<ImageCache> {
  const { dir, region, log } = options;
  const partial = join(dir, 'partial');
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const known = new Map<string, { size: number; used: number }>();
  const running = new Map<string, Promise<Cached>>();
  const stopping = new AbortController();
  let pinned = new Set<string>();
  const pathOf = (sum: string) => join(dir, sum);

  for (const name of await readdir(dir)) {
    if (!SUM.test(name)) continue;
    const { size, mtimeMs } = await stat(pathOf(name));
    known.set(name, { size, used: mtimeMs });
  }
  const bytes = () => [...known.values()].reduce((sum, file) => sum + file.size, 0);

  async function evict(): Promise<void> {
    let total = bytes();
    for (const [sum, file] of [...known].sort((a, b) => a[1].used - b[1].used)) {
      if (total <= options.limitBytes) return;
      if (pinned.has(sum)) continue;
      await rm(pathOf(sum), { force: true });
      known.delete(sum);
      total -= file.size;
      log.info({ sum, size: file.size }, 'image cache: evicted');
    }
  }

  async function keep(sum: string, from: string): Promise<Cached> {
    const { size } = await stat(from);
    await rename(from, pathOf(sum));
    known.set(sum, { size, used: Date.now() });
    await evict();
    return { kind: 'file', path: pathOf(sum), size };
  }

  async function linkFromRegion(sum: string): Promise<Cached | null> {
    if (options.blobs === null) return null;
    const source = join(options.blobs, 'sha256', sum.slice(0, 2), sum);
    const target = join(partial, `${sum}.link`);
    await rm(target, { force: true });
    const linked = await link(source, target)
      .catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EXDEV' && error.code !== 'EPERM') throw error;
        await copyFile(source, target);
      })
      .then(
        () => true,
        () => false,
      );
    if (!linked) return null;
    const hash = createHash('sha256');
    await feed(hash, target);
    if (hash.digest('hex') === sum) return await keep(sum, target);
    await rm(target, { force: true });
    log.error({ sum }, 'image cache: the region’s own file does not have its sum');
    return null;
  }

  async function download(sum: string): Promise<Cached> {
    const target = join(partial, sum);
    let have = (await stat(target).catch(() => null))?.size ?? 0;
    const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-`, 'if-range': `"${sum}"` } : {};
    const response = await region.get(`/rack/v1/blobs/${sum}`, headers, stopping.signal);
    if (response.statusCode === 404 || response.statusCode === 416) {
      response.resume();
      await rm(target, { force: true });
      if (response.statusCode === 404) return { kind: 'missing' };
      return { kind: 'unavailable', why: 'the part already fetched did not fit; fetching anew' };
    }
    if (response.statusCode !== 200 && response.statusCode !== 206) {
      response.resume();
      return { kind: 'unavailable', why: `the region answered ${response.statusCode}` };
    }
    const hash = createHash('sha256');
    if (response.statusCode === 206) await feed(hash, target);
    else have = 0;
    // Each chunk is on its way to the disk before the next is taken: a broken transfer keeps what came.
    const file = await open(target, have > 0 ? 'a' : 'w', 0o600);
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        hash.update(chunk);
        await file.write(chunk);
      }
    } finally {
      await file.close();
    }
    if (hash.digest('hex') === sum) return await keep(sum, target);
    await rm(target, { force: true });
    log.error({ sum }, 'image cache: what the region sent does not have its sum');
    return { kind: 'unavailable', why: 'what the region sent does not have its sum' };
  }

  async function fetch(sum: string): Promise<Cached> {
    const started = performance.now();
    try {
      const got = (await linkFromRegion(sum)) ?? (await download(sum));
      log.info({ sum, result: got.kind, ms: Math.round(performance.now() - started) }, 'image cache: fetched');
      return got;
    } catch (error) {
      return { kind: 'unavailable', why: error instanceof Error ? error.message : String(error) };
    }
  }

  return {
    get: async (sum) => {
      if (!SUM.test(sum)) return { kind: 'missing' };
      const file = known.get(sum);
      if (file) {
        if (Date.now() - file.used > TOUCH_EVERY_MS)
          await utimes(pathOf(sum), new Date(), new Date()).catch(() => undefined);
        file.used = Date.now();
        return { kind: 'file', path: pathOf(sum), size: file.size };
      }
      const shared = running.get(sum);
      if (shared) return await shared;
      const mine = fetch(sum).finally(() => running.delete(sum));
      running.set(sum, mine);
      return await mine;
    },
    pin: (sums) => {
      pinned = new Set(sums);
    },
    bytes,
    close: async () => {
      stopping.abort();
      await Promise.allSettled(running.values());
    },
  };
}

async function feed(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
}
