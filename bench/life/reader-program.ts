import { nativeClient } from '@ingot/lab/story/native-client.ts';

/**
 * Looks at one machine after the other, as a program beside Ingot does: a process of its own, because a reader among a
 * thousand simulated machines would measure their event loop. `reader-program ACCESS ID…`, ACCESS as JSON; when its
 * parent says anything it answers with what it measured and ends.
 */
export interface Readings {
  /** Milliseconds, in the order of the reads. */
  reads: number[];
  /** Reads that got no answer; they are among the others with the time they took. */
  refused: number;
}

const PAUSE_MS = 50;

const [access = '', ...systemIds] = process.argv.slice(2);
const api = nativeClient(JSON.parse(access));
const readings: Readings = { reads: [], refused: 0 };
process.on('message', () => process.send?.(readings, () => process.exit(0)));
process.on('disconnect', () => process.exit(1));
for (let turn = 0; ; turn += 1) {
  const began = performance.now();
  await api.machine(systemIds[(turn * 37) % systemIds.length] ?? '').catch(() => {
    readings.refused += 1;
  });
  readings.reads.push(performance.now() - began);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
