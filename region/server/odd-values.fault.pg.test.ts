import { ApiError } from '@ingot/contract/native.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oauthHeader } from '../maas/testing/dialect.ts';
import { createMachine } from '../machines/create.ts';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';

// Each operation of both APIs, asked by somebody who may, with values that nobody should send. The seed is kept: a failure
// repeats. INGOT_FAULT_RUNS asks each operation more often.

const SEED = 20260302;
const RUNS = Number(process.env.INGOT_FAULT_RUNS ?? 6);
const LIMIT_MS = 300_000 * Math.max(1, RUNS / 10);

let region: ServedRegion;
beforeAll(async () => {
  region = await startServedRegion();
});
afterAll(() => region?.stop());

let made = 0;
/** A machine for the operations that need one; the operation before may have deleted its own. */
async function newMachine(): Promise<string> {
  made += 1;
  const mac = `52:54:00:aa:${(made >> 8).toString(16).padStart(2, '0')}:${(made & 255).toString(16).padStart(2, '0')}`;
  const power = { type: 'manual', parameters: {} };
  // Nobody waits for the change.
  const changes = {
    subscribe: () => () => undefined,
    since: async () => [],
    cursor: () => '0',
    announce: () => undefined,
  };
  return (
    await createMachine({ ...region.deps, changes }, { architecture: 'amd64/generic', macAddresses: [mac], power })
  ).systemId;
}

/** What people put into fields, and what they should not. */
const odd = fc.constantFrom<unknown>(
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '💥',
  "';--",
  '%',
  '-1',
  '0',
  '1',
  '1e999',
  '99999999999999999999',
  '2147483648',
  'true',
  'null',
  '{}',
  '[]',
  '..',
  '../../key',
  'x'.repeat(5000),
  '10.0.0.0/8',
  '10.0.0.0/99',
  '256.1.1.1',
  '::1',
  'ff:ff:ff:ff:ff:ff',
  'id:1',
  '2020-01-01',
  '(',
  '.*',
  '=',
  ',',
  'a=b',
  'amd64/generic',
  'NaN',
  '0x10',
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  Number.MAX_VALUE,
  true,
  false,
  null,
  [],
  {},
  [[]],
  ['', null],
  { __proto__: 1 },
  { a: { b: [] } },
); // prettier would make this a page long

const oddText = odd.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));

/**
 * @fault A client with a login sends values of the wrong kind, length or alphabet to each operation of the native API.
 * @sees An answer of the 4xx kind with code, message and fix; never 500.
 * @ends Nothing unforeseen is in the region's log.
 */
test('no operation of the native API fails on odd values', { timeout: LIMIT_MS }, async () => {
  region.errors.length = 0;
  const { text } = await region.ask({ method: 'GET', path: '/api/v1/openapi.json', local: true });
  const document: { paths: Record<string, Record<string, NativeOperation>> } = JSON.parse(text);
  const operations = Object.entries(document.paths).flatMap(([at, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ at, method: method.toUpperCase(), operation })),
  );
  expect(operations.length).toBeGreaterThan(30);
  for (const { at, method, operation } of operations) {
    const schema = operation.requestBody?.content['application/json']?.schema;
    const machine = await newMachine();
    const names = Object.keys(schema?.properties ?? {});
    const body = fc.oneof(
      odd,
      fc.dictionary(fc.constantFrom('name', '__proto__', ...names), odd, { maxKeys: 8 }),
      ...(names.length > 0 ? [fc.record(Object.fromEntries(names.map((name) => [name, odd])))] : []),
    );
    const query = (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name);
    const asked = fc.record({
      path: fc.option(oddText, { freq: 1 }),
      query: fc.dictionary(fc.constantFrom('x', ...query), oddText),
      body,
    });
    await fc.assert(
      fc.asyncProperty(asked, async (values) => {
        const filled = at.replace(/\{\w+\}/g, () => encodeURIComponent(wellFormed(values.path ?? machine)));
        const search = new URLSearchParams(values.query).toString();
        const hasBody = method !== 'GET' && method !== 'DELETE';
        const answer = await region.ask({
          method,
          path: `${filled.startsWith('/api') ? '' : '/api/v1'}${filled}?${search}`,
          local: true,
          headers: hasBody ? { 'content-type': 'application/json' } : {},
          body: hasBody ? JSON.stringify(values.body) : undefined,
        });
        if (answer.status >= 400 && answer.status !== 503) {
          expect(answer.status, `${method} ${at} ${answer.text}`).toBeLessThan(500);
          expect(ApiError.safeParse(JSON.parse(answer.text)).success, answer.text).toBe(true);
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
  }
  expect(region.errors).toEqual([]);
});

/**
 * @fault A client with an API key sends values of the wrong kind, length or alphabet to each operation of the MAAS API.
 * @sees 400 with the field's message, 404 or 409, in the dialect's shapes; never 500.
 * @ends Nothing unforeseen is in the region's log.
 */
test('no operation of the MAAS dialect fails on odd values', { timeout: LIMIT_MS }, async () => {
  region.errors.length = 0;
  const { text } = await region.ask({ method: 'GET', path: '/MAAS/api/2.0/describe/' });
  const document: { resources: { auth: DialectHandler | null }[] } = JSON.parse(text);
  const operations = document.resources.flatMap(({ auth }) =>
    (auth?.actions ?? []).map((action) => ({ at: auth?.path ?? '', ...action })),
  );
  expect(operations.length).toBeGreaterThan(100);
  for (const { at, method, op, doc } of operations) {
    const machine = await newMachine();
    const names = [...(doc ?? '').matchAll(/:param (\w+):/g)].map(([, name = '']) => name);
    const form = fc.oneof(
      fc.dictionary(fc.constantFrom('name', 'id', 'system_id', ...names), oddText, { maxKeys: 12 }),
      fc.record(Object.fromEntries(names.map((name) => [name, oddText]))),
    );
    const asked = fc.record({ path: fc.option(oddText, { freq: 1 }), form });
    await fc.assert(
      fc.asyncProperty(asked, async (values) => {
        const filled = at.replace(/\{\w+\}/g, () => encodeURIComponent(wellFormed(values.path ?? machine)));
        const search = new URLSearchParams(op === null ? {} : { op });
        const fields = new URLSearchParams(values.form).toString();
        const reads = method === 'GET' || method === 'DELETE';
        const answer = await region.ask({
          method,
          path: `${filled}?${search}${reads ? `&${fields}` : ''}`,
          headers: {
            authorization: oauthHeader(region.apiKey),
            ...(reads ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          },
          body: reads ? undefined : fields,
        });
        expect(answer.status === 503 ? 499 : answer.status, `${method} ${at} ${op}: ${answer.text}`).toBeLessThan(500);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  }
  expect(region.errors).toEqual([]);
});

interface NativeOperation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema?: { properties?: Record<string, unknown> } }> };
}

interface DialectHandler {
  path: string;
  actions: { method: string; op: string | null; doc?: string }[];
}

/** A lone surrogate has no percent-encoding. */
const wellFormed = (text: string): string => (text === '' ? 'x' : Buffer.from(text).toString().slice(0, 400));
