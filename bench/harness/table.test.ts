import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { interleave } from './bench.ts';
import { storedResults } from './stored.ts';
import { type BenchResult, markdownSection, plainTable } from './table.ts';

const result: BenchResult = {
  bench: 'tftp',
  what: 'a file',
  started: '2026-11-22T18:00:00.000Z',
  seconds: 3,
  load: [1, 2],
  host: { cpus: 2, model: 'CPU', node: '20', kernel: '6' },
  rows: [
    {
      what: 'block 512',
      unit: 'MiB/s',
      better: 'more',
      ours: { name: 'ingot', samples: [{ value: 89.99, cpuSeconds: 1 }] },
      theirs: { name: 'other', samples: [{ value: 100, cpuSeconds: 2 }] },
      goals: [
        { of: 'speed', is: 'at least', value: 0.9 },
        { of: 'cpu', is: 'at most', value: 0.5 },
      ],
      note: 'said once',
    },
  ],
};

it('a table says what was missed, with numbers cut off and not rounded', () => {
  for (const text of [plainTable(result), markdownSection(result)]) {
    expect(text).toContain('0.899×');
    expect(text).toContain('NOT reached: ≥ 0.9×');
    expect(text).not.toContain('NOT reached: ≥ 0.9×, ≤ 0.5× CPU');
    expect(text.match(/said once/g)).toHaveLength(1);
  }
});

it('the newest stored result of a bench is found, and not that of another with a longer name', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'bench-'));
  const folder = path.join(root, 'bench/results');
  await mkdir(folder, { recursive: true });
  const names = ['tftp-2026-11-21T1.json', 'tftp-2026-11-22T1.json', 'tftp-more-2026-11-23T1.json'];
  for (const name of names) await writeFile(path.join(folder, name), JSON.stringify({ ...result, what: name }));
  expect((await storedResults(root, ['tftp', 'never'])).map(({ what }) => what)).toEqual(['tftp-2026-11-22T1.json']);
  await rm(root, { recursive: true });
});

it('sides are measured turn and turn about', async () => {
  const order: string[] = [];
  const side = (name: string) => async () => {
    order.push(name);
    return { value: order.length, cpuSeconds: null };
  };
  const samples = await interleave(3, { a: side('a'), b: side('b') });
  expect(order.join('')).toBe('abbaab');
  expect(samples.a.map(({ value }) => value)).toEqual([1, 4, 5]);
});
