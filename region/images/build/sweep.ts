import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../postgres/running-server.ts';
import { run } from './run.ts';

/** Removes the folders of builds that were killed: each is named after its process, and holds a whole system. */
export async function sweepDead(work: string): Promise<void> {
  for (const name of await readdir(work).catch(() => [])) {
    const pid = Number(/\.(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    // What a killed mmdebstrap may have left mounted inside is not ours to remove.
    await run('rm', ['-rf', '--one-file-system', join(work, name)]);
  }
}
