import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findNonZero, zeroDisk } from './erase.ts';

const MIB = 1024 * 1024;
/** No multiple of a MiB: the last sectors are the ones that are forgotten. */
const SIZE = 37 * MIB + 3 * 512;

describe.runIf(process.getuid?.() === 0)('erase on a loop device', () => {
  let directory = '';
  let image = '';
  let loop = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ingot-erase-'));
    image = join(directory, 'disk');
    writeFileSync(image, '');
    truncateSync(image, SIZE);
    loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  });

  afterEach(() => {
    execFileSync('losetup', ['--detach', loop]);
    rmSync(directory, { recursive: true });
  });

  const mark = (offset: number) => {
    const file = openSync(loop, 'r+');
    writeSync(file, Buffer.from('MARKER'), 0, 6, offset);
    closeSync(file);
    execFileSync('blockdev', ['--flushbufs', loop]);
  };

  test('every sector is zero afterwards, the last one too', async () => {
    for (const offset of [0, 5 * MIB + 512, SIZE - 512]) mark(offset);
    const progress: number[] = [];
    await zeroDisk({ name: 'loop', path: loop, size: SIZE }, (bytes) => progress.push(bytes));
    expect(progress.at(-1)).toBe(SIZE);
    const content = Buffer.alloc(SIZE);
    const file = openSync(image, 'r');
    readSync(file, content, 0, SIZE, 0);
    closeSync(file);
    expect(content.equals(Buffer.alloc(SIZE))).toBe(true);
  });

  test.each([0, SIZE - 6])('what the overwrite left at byte %i is found', async (offset) => {
    mark(offset);
    expect(await findNonZero(loop, SIZE)).toBe(offset);
  });

  test('a clean disk has nothing to find', async () => {
    expect(await findNonZero(loop, SIZE)).toBeNull();
  });
});
