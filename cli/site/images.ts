import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ImageRequest, ImageView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { type CliContext, type GlobalOptions, stateDirOf } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { progressLine } from '../format/progress.ts';
import { table } from '../format/table.ts';
import { size } from '../format/words.ts';
import { openSession } from '../session.ts';

/** Reading a few GB once to make sure of their sums. */
const REGISTER_MS = 600_000;

export const KINDS = ['ephemeral', 'deploy'] as const;
export type Kind = (typeof KINDS)[number];

export interface BuildOptions extends GlobalOptions {
  mirror?: string;
  release?: string;
  cache?: string;
  refresh?: boolean;
}

const Progress = z.object({
  progress: z.object({ step: z.string(), fraction: z.number().nullable(), text: z.string() }),
});
const Built = z.object({
  purpose: z.enum(KINDS),
  os: z.string(),
  release: z.string(),
  arch: z.string(),
  version: z.string(),
  title: z.string(),
  files: z.array(z.object({ filetype: z.string(), path: z.string() })),
});
type Built = z.infer<typeof Built>;

/** `ingot images build [KIND…]`: builds (or finds in the cache) and moves the files into the region's store. */
export async function buildImages(context: CliContext, options: BuildOptions, kinds: readonly Kind[]): Promise<void> {
  const session = await openSession(context, options);
  if (session.connection.kind !== 'socket') {
    throw new CliFailure('images are built on the host of the region', {
      exitCode: EXIT.usage,
      fix: 'run it there, with --state DIR if it is not the default',
    });
  }
  const made: ImageView[] = [];
  for (const kind of kinds) {
    // Inside the state directory: the store takes a file in by renaming it, without copying gigabytes.
    const out = path.join(stateDirOf(context, options), 'blobs', `incoming-${process.pid}`);
    await mkdir(out, { recursive: true });
    try {
      const built = await build(context, options, kind, out);
      const files = built.files.map(({ filetype, path: file }) => ({ filetype, path: path.resolve(file) }));
      const request = ImageRequest.parse({
        purpose: built.purpose,
        os: built.os,
        release: built.release,
        arch: built.arch,
        version: built.version,
        title: built.title,
        files,
      });
      made.push(await session.client.post('/images', request, ImageView, REGISTER_MS));
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  }
  session.print(made, () => imageTable(made));
}

/** The builder's lines are progress until the last, which is the image. */
async function build(context: CliContext, options: BuildOptions, kind: Kind, out: string): Promise<Built> {
  const argv = [path.join(context.dist, 'images-build.mjs'), '--kind', kind, '--out', out, '--json'];
  for (const name of ['mirror', 'release', 'cache'] as const) {
    const value = options[name];
    // The release is that of the deployed system; the ephemeral one follows the host.
    if (value !== undefined && !(name === 'release' && kind === 'ephemeral')) argv.push(`--${name}`, value);
  }
  if (options.refresh) argv.push('--refresh');
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const lastWords: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastWords.push(line);
    if (lastWords.length > 10) lastWords.shift();
  });
  const show = progressLine(context.stderr, context.live, kind);
  let built: Built | null = null;
  const closed = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? EXIT.failed));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const value: unknown = JSON.parse(line);
    const progress = Progress.safeParse(value);
    if (progress.success) show.step(progress.data.progress);
    else built = Built.parse(value);
  }
  const code = await closed;
  process.off('SIGINT', stop).off('SIGTERM', stop);
  show.done();
  if (code === 0 && built !== null) return built;
  throw new CliFailure(`building the ${kind} image failed: ${lastWords.at(-1) ?? `exit ${code}`}`, {
    exitCode: code === 2 ? EXIT.usage : EXIT.failed,
    fix: lastWords.length > 1 ? `the last lines were:\n    ${lastWords.join('\n    ')}` : 'run it again',
  });
}

export async function listImages(context: CliContext, options: GlobalOptions): Promise<void> {
  const session = await openSession(context, options);
  const images = await session.client.get('/images', z.array(ImageView));
  session.print(images, () =>
    images.length === 0 ? 'No images. Build them: ingot images build\n' : imageTable(images),
  );
}

/** By id, or by name when only one image has it. */
export async function deleteImage(context: CliContext, options: GlobalOptions, which: string): Promise<void> {
  const session = await openSession(context, options);
  const images = await session.client.get('/images', z.array(ImageView));
  const found = images.filter((image) => String(image.id) === which || image.name === which);
  const [image] = found;
  if (!image || found.length > 1) {
    throw new CliFailure(image ? `${found.length} images are named ${which}` : `there is no image ${which}`, {
      exitCode: EXIT.usage,
      fix: 'give an id of: ingot images list',
    });
  }
  await session.client.send('DELETE', `/images/${image.id}`);
  session.print({ id: image.id, deleted: true }, () => `Deleted ${image.name} ${image.version}\n`);
}

function imageTable(images: readonly ImageView[]): string {
  return table(
    ['ID', 'NAME', 'FOR', 'ARCH', 'VERSION', 'SIZE', 'IN USE', 'TITLE'],
    images.map((image) => [
      String(image.id),
      image.name,
      image.purpose,
      image.architecture,
      image.version,
      size(image.size),
      image.purpose === 'deploy' ? String(image.inUse) : '–',
      image.title,
    ]),
  );
}
