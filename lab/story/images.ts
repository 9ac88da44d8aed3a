import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { NativeClient } from './native-client.ts';

/** What dist/images-build.mjs --json prints: progress lines, then the image. */
const Line = z.union([
  z.object({ progress: z.object({ step: z.string(), fraction: z.number().nullable(), text: z.string() }) }),
  z.object({
    purpose: z.enum(['ephemeral', 'deploy']),
    os: z.string(),
    release: z.string(),
    arch: z.string(),
    version: z.string(),
    title: z.string(),
    files: z.array(z.object({ filetype: z.string(), path: z.string() })),
  }),
]);
export type Built = Exclude<z.infer<typeof Line>, { progress: unknown }>;

export interface ImageOptions {
  checkout: string;
  /** Finished images stay here between runs. */
  cache: string;
  /** Receives links to them, which the region then moves into its store. */
  handOver: string;
  /** Ends a build that is under way, with all its programs. */
  signal?: AbortSignal;
  onProgress(kind: string, step: string, fraction: number | null): void;
}

const BUILD_LIMIT_MS = 20 * 60_000;

/** Builds both images, or takes them from the cache, and registers them. Returns the deployment image's name. */
export async function provideImages(api: NativeClient, options: ImageOptions): Promise<string> {
  await provideImage(api, 'ephemeral', options);
  return provideImage(api, 'deploy', options);
}

/** Builds one of them, or takes it from the cache, and registers it. Returns its name. */
export async function provideImage(
  api: NativeClient,
  kind: 'ephemeral' | 'deploy',
  options: ImageOptions,
): Promise<string> {
  const image = await buildImage(kind, options);
  await api.registerImage({
    purpose: image.purpose,
    os: image.os,
    release: image.release,
    arch: image.arch,
    version: image.version,
    title: image.title,
    files: image.files.map(({ filetype, path: file }) => ({ filetype, path: file })),
  });
  return `${image.os}/${image.release}`;
}

/** Builds one image, or takes it from the cache; its files are links in `handOver`. */
export async function buildImage(kind: 'ephemeral' | 'deploy', options: ImageOptions): Promise<Built> {
  const out = path.join(options.handOver, kind);
  await mkdir(out, { recursive: true });
  const child = spawn(
    process.execPath,
    [
      path.join(options.checkout, 'dist/images-build.mjs'),
      '--json',
      '--kind',
      kind,
      '--out',
      out,
      '--cache',
      path.join(options.cache, 'images'),
      '--work',
      path.join(options.cache, 'work'),
    ],
    // A process group of its own: the build's programs have to end with it.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  const limit = setTimeout(end, BUILD_LIMIT_MS);
  options.signal?.addEventListener('abort', end);
  child.once('exit', () => {
    clearTimeout(limit);
    options.signal?.removeEventListener('abort', end);
  });
  let log = '';
  child.stderr.on('data', (data: Buffer) => {
    log = (log + data.toString()).slice(-4000);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  let built: Built | null = null;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = Line.parse(JSON.parse(text));
    if ('progress' in line) options.onProgress(kind, line.progress.step, line.progress.fraction);
    else built = line;
  }
  const code = await ended;
  if (code !== 0 || built === null) throw new Error(`building the ${kind} image failed (exit ${code}):\n${log}`);
  return built;
}
