import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noteTypical, readTypical } from './typical.ts';

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'ingot-typical-'));
});
afterAll(() => rm(cache, { recursive: true }));

const took = (name: string, seconds: number) => ({ name, seconds, own: 0 });

test('what one demo notes the next one reads, each turn of a phase by itself', async () => {
  expect(await readTypical(cache)).toEqual({});
  const phases = [took('commission: agent', 8.6), took('commission: kernel', 9.5), took('commission: agent', 0.1)];
  await noteTypical(cache, [{ firmware: 'bios', phases }]);
  expect(await readTypical(cache)).toEqual({ bios: { 'commission: agent': [8.6, 0.1], 'commission: kernel': [9.5] } });
});

test('a note of another shape counts as none', async () => {
  await writeFile(path.join(cache, 'demo-typical.json'), '{"bios":{"commission: agent":8}}');
  expect(await readTypical(cache)).toEqual({});
});
