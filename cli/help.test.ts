import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram, runCommandLine } from './program.ts';
import { fakeContext } from './testing/fake-context.ts';

const program = buildProgram(fakeContext(os.tmpdir()).context, () => {});
/** Programs of their own, which read the rest of the line themselves. */
const OTHERS = ['region', 'rack', 'lab'];

function paths(command: Command, path: string[] = []): string[][] {
  return command.commands
    .filter((sub) => !OTHERS.includes(sub.name()) || path.length > 0)
    .flatMap((sub) => [[...path, sub.name()], ...paths(sub, [...path, sub.name()])]);
}

it.each([...paths(program), ['rack', 'token']].map((path) => ({ path })))('$path --help helps', async ({ path }) => {
  const { context, out, err } = fakeContext(os.tmpdir());
  expect(await runCommandLine([...path, '--help'], context)).toBe(0);
  expect(out()).toContain(`Usage: ingot ${path.join(' ')}`);
  expect(err()).toBe('');
});

const root = new URL('../', import.meta.url);
const pages = ['README.md', 'docs/tutorial.md', 'docs/operations.md', 'docs/architecture.md'].concat(
  readdirSync(new URL('docs/how-to/', root)).map((name) => `docs/how-to/${name}`),
);

/** Every `ingot …` of a page, in a block or within a line, without what follows a comment or a pipe. */
function shown(text: string): string[] {
  const inline = [...text.matchAll(/`(?:\.\/)?ingot ([^`\n]+)`/g)];
  const lines = [...text.matchAll(/^[ >]*(?:\.\/)?ingot ([^\n]+)$/gm)];
  return [...inline, ...lines].map(([, words = '']) => (words.split(/\s[#|>&]/)[0] ?? '').trim());
}

/** What the command line does not know in it; empty when it knows all. */
function unknownIn(line: string): string[] {
  const words = line.split(/\s+/).filter((word) => word !== '');
  const [first = ''] = words;
  if (OTHERS.includes(first) && words[1] !== 'token') return [];
  let command = program;
  for (const word of words) {
    const next = command.commands.find((sub) => sub.name() === word);
    if (next === undefined) break;
    command = next;
  }
  if (command === program && /^[a-z]/.test(first)) return [first];
  const known = [...program.options, ...command.options].flatMap(({ long, short }) => [long, short]);
  return words.filter((word) => /^--?[a-z]/.test(word) && !known.includes(word) && word !== '--help');
}

describe('what the pages tell people to type is known to the command line', () => {
  it.each(pages)('%s', (page) => {
    const lines = shown(readFileSync(new URL(page, root), 'utf8'));
    expect(
      lines.map((line) => ({ line, unknown: unknownIn(line) })).filter(({ unknown }) => unknown.length > 0),
    ).toEqual([]);
  });

  it('a command and an option that do not exist would be found', () => {
    expect(shown('```sh\n./ingot fly NAME --wings\n```\nor `ingot deploy NAME --wings`').flatMap(unknownIn)).toEqual([
      '--wings',
      'fly',
    ]);
  });
});
