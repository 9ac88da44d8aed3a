import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeTable } from './describe.ts';
import { table } from './routes/table.ts';

const file = (name: string): string => new URL(name, import.meta.url).pathname;

interface Known {
  resource: string;
  caller: string;
  method: string;
  path: string;
  op: string;
}

/** Every operation of MAAS 3.7 and main, transcribed: resource, caller (auth or anonymous), method, path, op. */
function known(): Known[] {
  const lines = readFileSync(file('./testdata/operations.tsv'), 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [resource = '', caller = '', method = '', path = '', op = ''] = line.split('\t');
    return { resource, caller, method, path, op };
  });
}

const keyOf = (caller: string, method: string, path: string, op: string): string =>
  [caller, method, path, op].join(' ').trim();

function served(): Set<string> {
  const keys = new Set<string>();
  for (const resource of table) {
    for (const path of resource.paths) {
      for (const [caller, handler] of [
        ['anonymous', resource.anon],
        ['auth', resource.auth],
      ] as const) {
        for (const operation of handler?.operations ?? []) {
          keys.add(keyOf(caller, operation.method, `/MAAS/api/2.0/${path}`, operation.op ?? ''));
        }
      }
    }
  }
  // Served outside of the table.
  keys.add(keyOf('anonymous', 'GET', '/MAAS/api/2.0/describe/', ''));
  keys.add(keyOf('anonymous', 'GET', '/MAAS/api/2.0/openapi.yaml', ''));
  return keys;
}

test('the table serves nothing that MAAS does not know', () => {
  const names = new Set(known().map((row) => keyOf(row.caller, row.method, row.path, row.op)));
  expect([...served()].filter((key) => !names.has(key))).toEqual([]);
});

/** The ledger is tracked: an operation that comes or goes shows in review. `INGOT_WRITE_LEDGERS=1` rewrites it. */
test('coverage.tsv says what is implemented and what is not', () => {
  const keys = served();
  const lines = known().map((row) => {
    const state = keys.has(keyOf(row.caller, row.method, row.path, row.op)) ? 'implemented' : 'not implemented';
    return [state, row.resource, row.caller, row.method, row.path, row.op].join('\t');
  });
  const done = lines.filter((line) => line.startsWith('implemented')).length;
  const text = `# ${done} of ${lines.length} operations\nstate\tresource\tcaller\tmethod\tpath\top\n${lines.join('\n')}\n`;
  if (process.env.INGOT_WRITE_LEDGERS === '1') writeFileSync(file('./coverage.tsv'), text);
  expect(readFileSync(file('./coverage.tsv'), 'utf8')).toBe(text);
});

test('every operation is described: name, help line, arguments where there are any', () => {
  const description = describeTable(table);
  for (const handler of description.handlers) {
    expect(handler.name).toMatch(/^[A-Z]\w*Handler$/);
    const names = handler.actions.map((action) => action.name);
    expect(names).toEqual([...new Set(names)].sort());
    for (const parameter of handler.params) expect(handler.path).toContain(`{${parameter}}`);
    for (const action of handler.actions) {
      expect(action.doc.split('\n')[0]).not.toBe('');
      expect(action.restful).toBe(action.op === null);
      expect(action.name).toBe(
        action.op ?? { GET: 'read', POST: 'create', PUT: 'update', DELETE: 'delete' }[action.method],
      );
      if (action.doc.includes(':param')) expect(action.doc.split('\n\n').length).toBeGreaterThan(2);
    }
  }
  // The CLI needs these to take key=value arguments.
  const machines = description.handlers.find((handler) => handler.name === 'MachinesHandler');
  expect(machines?.actions.find((action) => action.name === 'allocate')?.doc).toMatch(
    /:param tags: .*\n:type tags: String/,
  );
});

test('the hash depends on the operations and not on their order', () => {
  const description = describeTable(table);
  expect(describeTable([...table].reverse()).hash).toBe(description.hash);
  expect(describeTable(table.slice(1)).hash).not.toBe(description.hash);
});
