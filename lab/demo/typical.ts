import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { PhaseTime } from '../story/waterfall.ts';

/**
 * What each phase took in the last demo on this host, by firmware and then by "kind: phase", in seconds: one number for each time
 * that the attempt came to it, in order. Ingot itself speaks of a typical time after three attempts of a kind, and no demo has as many.
 */
export type Typical = Record<string, Record<string, number[]>>;

const Noted = z.record(z.string(), z.record(z.string(), z.array(z.number())));

const fileIn = (cache: string) => path.join(cache, 'demo-typical.json');

/** Empty where no demo has passed, or its note cannot be read. */
export async function readTypical(cache: string): Promise<Typical> {
  try {
    return Noted.parse(JSON.parse(await readFile(fileIn(cache), 'utf8')));
  } catch {
    return {};
  }
}

export async function noteTypical(cache: string, runs: { firmware: string; phases: PhaseTime[] }[]): Promise<void> {
  const noted: Typical = {};
  for (const { firmware, phases } of runs) {
    const times: Typical[string] = {};
    for (const { name, seconds } of phases) times[name] = [...(times[name] ?? []), seconds];
    noted[firmware] = times;
  }
  await mkdir(cache, { recursive: true });
  await writeFile(fileIn(cache), `${JSON.stringify(noted, null, 1)}\n`);
}
