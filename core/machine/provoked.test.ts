import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CODES } from './catalogue.ts';

const root = new URL('../../', import.meta.url);
const ROOMS = ['core', 'contract', 'protocols', 'region', 'rack', 'agent', 'cli', 'web', 'lab'];

function testFiles(): string {
  const files = ROOMS.flatMap((room) =>
    readdirSync(new URL(`${room}/`, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.test\.tsx?$/.test(path) && !path.includes('node_modules'))
      .filter((path) => !path.endsWith('provoked.test.ts'))
      .map((path) => readFileSync(new URL(`${room}/${path}`, root), 'utf8')),
  );
  return files.join('\n');
}

/** The ledger of what is not covered: adding a code without a test changes a tracked file. */
const listed = readFileSync(new URL('unprovoked-codes.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t')[0] ?? '');

test('every code is provoked by a test, or is in unprovoked-codes.tsv', () => {
  const tests = testFiles();
  const unprovoked = CODES.filter(
    (code) => !["'", '"', '`'].some((quote) => tests.includes(`${quote}${code}${quote}`)),
  );
  expect(unprovoked.filter((code) => !listed.includes(code))).toEqual([]);
  expect(listed.filter((code) => !CODES.some((known) => known === code))).toEqual([]);
});
