import { readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CpioEntry } from './cpio.ts';
import { run } from './run.ts';

/**
 * A program of `tree` (a path in it, without a leading slash) as /bin/NAME with the libraries its loader asks for, each under the
 * path under which it is looked for. Throws when one is missing.
 */
export async function dynamicProgram(tree: string, program: string): Promise<CpioEntry[]> {
  const wanted = parseLdd(await run('chroot', [tree, 'ldd', `/${program}`]));
  const entries: CpioEntry[] = [
    { path: `bin/${basename(program)}`, kind: 'file', mode: 0o755, content: await readFile(join(tree, program)) },
  ];
  for (const path of wanted) {
    // Links such as /lib → usr/lib are relative in Debian, so that they hold from outside of the tree, too.
    const content = await readFile(await realpath(join(tree, path)));
    entries.push({ path: path.slice(1), kind: 'file', mode: 0o755, content });
  }
  return entries;
}

/** Absolute paths in the output of ldd (`name => /path (0x…)`, `/path (0x…)`). Throws on `not found`. */
export function parseLdd(lines: string[]): string[] {
  const missing = lines.find((line) => line.includes('not found'));
  if (missing !== undefined) throw new Error(`a library is missing: ${missing.trim()}`);
  return lines.flatMap((line) => /(?:^|\s)(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1] ?? []);
}
