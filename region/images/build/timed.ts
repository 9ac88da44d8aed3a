import type { BuildInput } from './progress.ts';

/** Run one step of a build, say its start and end, and note how many seconds it took. */
export async function timed<T>(
  seconds: Record<string, number>,
  step: string,
  build: BuildInput,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  build.onProgress({ step, fraction: null, text: '' });
  const result = await work();
  seconds[step] = Math.round((performance.now() - start) / 100) / 10;
  build.onProgress({ step, fraction: 1, text: `${seconds[step]} s` });
  return result;
}

/** Version of an image made now, yyyymmdd. */
export function today(): string {
  return new Date().toISOString().slice(0, 10).replaceAll('-', '');
}
