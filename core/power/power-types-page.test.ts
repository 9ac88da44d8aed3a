import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { POWER_TYPES } from './power-types.ts';
import { powerTypesPage } from './power-types-page.ts';

const FILE = new URL('../../docs/reference/power-types.md', import.meta.url);

it('docs/reference/power-types.md is what the data say (UPDATE_GOLDEN=1 writes it)', () => {
  const page = powerTypesPage(POWER_TYPES);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(FILE, page);
  expect(readFileSync(FILE, 'utf8')).toBe(page);
});
