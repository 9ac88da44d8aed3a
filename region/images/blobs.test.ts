import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from './blobs.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ingot-blobs-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('blob store', () => {
  it('names a file by its sum and moves it in', async () => {
    const blobs = openBlobStore(join(dir, 'blobs'));
    const content = randomBytes(1_200_000);
    const file = join(dir, 'built');
    await writeFile(file, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(await blobs.adopt(file)).toEqual({ sha256, size: content.length });
    expect(blobs.path(sha256)).toBe(join(dir, 'blobs', 'sha256', sha256.slice(0, 2), sha256));
    // Not toEqual: vitest compares a million bytes one by one.
    expect(content.equals(await readFile(blobs.path(sha256)))).toBe(true);
    await expect(stat(file)).rejects.toThrow();
    expect(await blobs.has(sha256)).toBe(true);
    await blobs.remove(sha256);
    expect(await blobs.has(sha256)).toBe(false);
  });

  it('replaces a blob that a crash left short', async () => {
    const blobs = openBlobStore(join(dir, 'blobs'));
    await writeFile(join(dir, 'a'), 'whole content');
    const { sha256 } = await blobs.adopt(join(dir, 'a'));
    await writeFile(blobs.path(sha256), 'who');
    await writeFile(join(dir, 'b'), 'whole content');
    await blobs.adopt(join(dir, 'b'));
    expect(await readFile(blobs.path(sha256), 'utf8')).toBe('whole content');
  });

  it('refuses names that are not sums', async () => {
    const blobs = openBlobStore(dir);
    expect(() => blobs.path('../../etc/passwd')).toThrow('not a sha256 sum');
    expect(() => blobs.path('A'.repeat(64))).toThrow('not a sha256 sum');
  });
});
