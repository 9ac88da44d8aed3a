import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { RegionDeps } from '../deps.ts';
import { openApiOf } from './openapi.ts';
import { API_VERSION, nativeParts } from './register.ts';
import { nativeRoutes } from './routes/table.ts';

const FILE = path.resolve(import.meta.dirname, '../../docs/reference/openapi.json');

/** The table only: nothing is called, so nothing of the region is needed. */
function routes() {
  return nativeRoutes(nativeParts({} as RegionDeps));
}

it('docs/reference/openapi.json is what the server serves (INGOT_UPDATE_LEDGERS=1 writes it)', async () => {
  const text = `${JSON.stringify(openApiOf(routes(), API_VERSION), null, 2)}\n`;
  if (process.env.INGOT_UPDATE_LEDGERS === '1') await writeFile(FILE, text);
  expect(await readFile(FILE, 'utf8')).toBe(text);
});

it('every operation has its own name and a summary', () => {
  const table = routes();
  expect(new Set(table.map((route) => route.operation)).size).toBe(table.length);
  for (const route of table) expect(route.summary.length).toBeGreaterThan(5);
});

it('only login is open to everybody', () => {
  const open = routes().filter((route) => route.access === 'anyone');
  expect(open.map((route) => route.path)).toEqual(['/login']);
});
