import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CODES, entryOf } from './catalogue.ts';
import { renderCodes } from './codes-doc.ts';

const page = new URL('../../docs/codes.md', import.meta.url);

test('docs/codes.md says what the catalogue says', () => {
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(page, renderCodes());
  expect(readFileSync(page, 'utf8')).toBe(renderCodes());
});

test('every entry says what happened and what to do', () => {
  for (const code of CODES) {
    const entry = entryOf(code);
    expect(entry, code).not.toBeNull();
    for (const text of [entry?.title, entry?.message, entry?.fix]) expect(text, code).toMatch(/\S/);
  }
});
