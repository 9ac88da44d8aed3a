import path from 'node:path';
import { command } from '@ingot/lab/run/command.ts';

export const checkout = path.resolve(import.meta.dirname, '../..');

/** What a test starts as a process is what stands in the checkout. Costs half a second when nothing has changed. */
export async function ensureBuilt(...parts: ('region' | 'ingot' | 'rack' | 'web' | 'lab')[]): Promise<void> {
  const build = path.join(checkout, 'scripts/build.mjs');
  await command([process.execPath, build, '--quiet', 'migrations', ...parts], 180_000);
}
