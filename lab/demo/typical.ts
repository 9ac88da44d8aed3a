import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PhaseTime } from '../story/waterfall.ts';

/**
 * What each phase took in the last demo on this host, by firmware and then by "kind: phase", in seconds. Ingot itself speaks of a
 * typical time after three attempts of a kind, and no demo has as many.
 */
export type Typical = Record<string, Record<string, number>>;

const fileIn = (cache: string) => path.join(cache, 'demo-typical.json');

/** Empty where no demo has passed, or its note cannot be read. */
export async function readTypical(cache: string): Promise<Typical> {
  try {
    const noted: unknown = JSON.parse(await readFile(fileIn(cache), 'utf8'));
    return typeof noted === 'object' && noted !== null ? (noted as Typical) : {};
  } catch {
    return {};
  }
}

export async function noteTypical(cache: string, runs: { firmware: string; phases: PhaseTime[] }[]): Promise<void> {
  const noted: Typical = {};
  for (const { firmware, phases } of runs) {
    noted[firmware] = Object.fromEntries(phases.map(({ name, seconds }) => [name, seconds]));
  }
  await mkdir(cache, { recursive: true });
  await writeFile(fileIn(cache), `${JSON.stringify(noted, null, 1)}\n`);
}
