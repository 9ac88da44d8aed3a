import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Bench } from './bench.ts';
import { judge } from './judge.ts';
import { storedResults } from './stored.ts';
import { type BenchResult, markdownSection, plainTable } from './table.ts';

export interface RunOptions {
  root: string;
  /** Where the bundled benches are: NAME/bench.mjs and NAME/PROGRAM-program.mjs. */
  bundles: string;
  rounds: number;
  /** Markdown on standard output instead of the table. */
  markdown: boolean;
}

/** Runs the benches one after the other and stores each result; a bench that fails does not stop the next. */
export async function runBenches(benches: readonly Bench[], options: RunOptions): Promise<{ reached: boolean }> {
  let reached = true;
  for (const bench of benches) {
    try {
      const result = await runOne(bench, options);
      print(result, options.markdown);
      if (result.rows.flatMap(judge).some((verdict) => !verdict.reached)) reached = false;
    } catch (error) {
      reached = false;
      console.error(`${bench.name}: failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    }
  }
  return { reached };
}

function print(result: BenchResult, markdown: boolean): void {
  console.log(markdown ? markdownSection(result) : `\n${result.bench}: ${result.what}\n${plainTable(result)}`);
}

/** Prints what earlier runs stored, without running anything. */
export async function printStored(root: string, names: readonly string[], markdown: boolean): Promise<void> {
  for (const result of await storedResults(root, names)) print(result, markdown);
}

async function runOne(bench: Bench, options: RunOptions): Promise<BenchResult> {
  const results = path.join(options.root, 'bench/results');
  await mkdir(results, { recursive: true });
  // Beside the results, not in /tmp, which may be memory: an image has to come from and go to a disk.
  const scratch = await mkdtemp(path.join(results, '.scratch-'));
  const clear = () => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', clear);
  const [before = 0] = os.loadavg();
  const started = new Date().toISOString();
  const clock = performance.now();
  try {
    const rows = await bench.run({
      program: (name, of = bench.name) => path.join(options.bundles, of, `${name}-program.mjs`),
      root: options.root,
      scratch,
      rounds: options.rounds,
      say: (text) => console.error(`${bench.name}: ${text}`),
    });
    const result: BenchResult = {
      bench: bench.name,
      what: bench.what,
      started,
      seconds: (performance.now() - clock) / 1000,
      load: [before, os.loadavg()[0] ?? 0],
      host: {
        cpus: os.cpus().length,
        model: os.cpus()[0]?.model ?? 'unknown',
        node: process.versions.node,
        kernel: os.release().split('-')[0] ?? '',
      },
      rows,
    };
    const file = path.join(results, `${bench.name}-${started.replace(/[:.]/g, '')}.json`);
    await writeFile(file, `${JSON.stringify(result, null, 1)}\n`);
    return result;
  } finally {
    process.off('exit', clear);
    await rm(scratch, { recursive: true, force: true });
  }
}
