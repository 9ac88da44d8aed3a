import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectDisk } from './raw-disk.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'raw-disk-'));
  file = path.join(folder, 'disk.raw');
  await writeFile(file, '');
  await truncate(file, 9 << 20);
});
afterEach(() => rm(folder, { recursive: true }));

async function put(text: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(text, offset);
  await handle.close();
}

test('a disk of zeroes holds nothing', async () => {
  expect(await inspectDisk(file, ['MARK'])).toEqual({ bytes: 9 << 20, firstNonZero: null, found: { MARK: -1 } });
});

test('a text across the border of two reads and one at the very end are found', async () => {
  await put('BORDER', (4 << 20) - 3);
  await put('END', (9 << 20) - 3);
  expect(await inspectDisk(file, ['BORDER', 'END', 'absent'])).toEqual({
    bytes: 9 << 20,
    firstNonZero: (4 << 20) - 3,
    found: { BORDER: (4 << 20) - 3, END: (9 << 20) - 3, absent: -1 },
  });
});
