import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type FileFaults, faultsIn, faultsPage } from './ledger.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = path.join(root, 'docs/reference/faults.md');

/** Written in two parts, so that this file is not a test with faults of its own. */
const AT = '@';
const block = (...lines: string[]) => ['/**', ...lines.map((line) => ` * ${line}`), ' */'].join('\n');
const good = [`${AT}fault The wire is cut`, `${AT}sees a code,`, 'and a fix', `${AT}ends by itself`];

function inTests(): FileFaults[] {
  const listed = execFileSync('git', ['ls-files', '*.test.ts', '*.test.tsx'], { cwd: root, encoding: 'utf8' });
  const files = listed.split('\n').filter((file) => file !== '' && file !== 'scripts/faults/ledger.test.ts');
  return files.sort().map((file) => faultsIn(file, readFileSync(path.join(root, file), 'utf8')));
}

test('every block of every test is well formed, and the page shows them all', () => {
  const found = inTests();
  expect(found.flatMap(({ malformed }) => malformed)).toEqual([]);
  const text = faultsPage(found.flatMap(({ faults }) => faults));
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(page, text);
  expect(readFileSync(page, 'utf8')).toBe(text);
});

test('a block is read with the name of its test, also behind a table', () => {
  const plain = faultsIn('a/b.test.ts', `${block(...good)}\ntest('it\\'s cut', () => {});`);
  const said = { fault: 'The wire is cut', sees: 'a code, and a fix', ends: 'by itself', file: 'a/b.test.ts' };
  expect(plain).toEqual({ faults: [{ ...said, test: "it's cut" }], malformed: [] });
  const table = faultsIn(
    'a/b.test.ts',
    `${block(...good)}\n  it.concurrent.each([')', f(1)])(\n  \`$name\`, () => {});`,
  );
  expect(table.faults).toMatchObject([{ test: '$name' }]);
  expect(faultsIn('a/b.test.ts', '/** Of a fault. */\ntest("x", () => {});')).toEqual({ faults: [], malformed: [] });
});

test.each([
  ['a tag is missing', block(...good.slice(0, 3)), 'the tags are "fault sees"'],
  ['tags in another order', block(...good.slice(1), good[0] ?? ''), 'the tags are'],
  ['a tag says nothing', block(`${AT}fault x`, `${AT}sees  `, `${AT}ends y`), '@sees says nothing'],
  ['prose that is too long', block(`${AT}fault ${'x'.repeat(400)}`, ...good.slice(1)), '@fault is longer'],
])('%s: said with file and line', (_what, comment, problem) => {
  const { faults, malformed } = faultsIn('a.test.ts', `\n${comment}\ntest('x', () => {});`);
  expect(faults).toEqual([]);
  expect(malformed).toEqual([expect.stringContaining(`a.test.ts:2: ${problem}`)]);
});

test.each(['const x = 1;', 'test(name, () => {});', "describe('x', () => {});"])(
  'a block above %s is malformed',
  (next) => {
    expect(faultsIn('a.test.ts', `${block(...good)}\n${next}`).malformed).toHaveLength(1);
  },
);

test('the page is grouped by room and its cells cannot break the table', () => {
  const one = { fault: 'a | b', sees: '<x>', ends: 'c', test: 't' };
  const text = faultsPage([
    { ...one, file: 'region/z.test.ts' },
    { ...one, file: 'agent/y.test.ts' },
  ]);
  expect(text.indexOf('## agent')).toBeLessThan(text.indexOf('## region'));
  expect(text).toContain('| a \\| b | &lt;x> | c | t ([z.test.ts](../../region/z.test.ts)) |');
});
