import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltFile } from './progress.ts';

/** What is noted beside the files of a finished build, so that it is found again by its recipe. */
export interface StoredBuild {
  key: string;
  version: string;
  /** Version of the kernel in it, for the ephemeral image; empty otherwise. */
  kernelVersion: string;
}

/** Identity of a recipe: the same recipe gives the same key in every process. */
export function recipeKey(recipe: unknown): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex');
}

/** The finished build in `directory` if it was made by this recipe and all its files are there. */
export async function findStored(directory: string, key: string, files: string[]): Promise<StoredBuild | null> {
  const text = await readFile(join(directory, 'build.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const stored: unknown = JSON.parse(text);
  if (!isStoredBuild(stored) || stored.key !== key) return null;
  for (const file of files) {
    if ((await stat(join(directory, file)).catch(() => null)) === null) return null;
  }
  return stored;
}

/** Put finished files (given by their temporary paths) under their names, the note last: a killed build is never found. */
export async function store(directory: string, build: StoredBuild, files: Record<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  await rm(join(directory, 'build.json'), { force: true });
  for (const [name, path] of Object.entries(files)) await rename(path, join(directory, name));
  await writeFile(join(directory, 'build.json.new'), `${JSON.stringify(build)}\n`);
  await rename(join(directory, 'build.json.new'), join(directory, 'build.json'));
}

/** Sum and size of a finished file. */
export async function describeFile(path: string, filetype: BuiltFile['filetype']): Promise<BuiltFile> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { filetype, path, sha256: hash.digest('hex'), size };
}

function isStoredBuild(value: unknown): value is StoredBuild {
  if (typeof value !== 'object' || value === null) return false;
  const { key, version, kernelVersion } = { key: null, version: null, kernelVersion: null, ...value };
  return typeof key === 'string' && typeof version === 'string' && typeof kernelVersion === 'string';
}
