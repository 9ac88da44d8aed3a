import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BenchResult } from './table.ts';

/** The newest stored result of each named bench, in that order; benches that were never run are left out. */
export async function storedResults(root: string, names: readonly string[]): Promise<BenchResult[]> {
  const folder = path.join(root, 'bench/results');
  const files = (await readdir(folder).catch(() => [])).sort();
  const results: BenchResult[] = [];
  for (const name of names) {
    // NAME-2026-11-22T184432919Z.json: names sort by time.
    const newest = files.findLast((file) => file.startsWith(`${name}-2`) && file.endsWith('.json'));
    // Written by runBenches, from the same type.
    if (newest !== undefined)
      results.push(JSON.parse(await readFile(path.join(folder, newest), 'utf8')) as BenchResult);
  }
  return results;
}
