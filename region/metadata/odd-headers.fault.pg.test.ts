import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';
import { type MachineWithToken, machineWithToken, oauthOf, oauthParts } from './testing/machine-with-token.ts';

// What a machine's token opens, asked with headers that are nearly right. The seed is kept: a failure repeats.
// INGOT_FAULT_RUNS asks each route more often.

const SEED = 20260313;
const RUNS = Number(process.env.INGOT_FAULT_RUNS ?? 60);

let region: ServedRegion;
let machine: MachineWithToken;
beforeAll(async () => {
  region = await startServedRegion();
  machine = await machineWithToken(region);
});
afterAll(() => region?.stop());

const DATA = '/MAAS/metadata/2012-03-01';
const ROUTES = [
  '/MAAS/metadata/',
  `${DATA}/`,
  `${DATA}/meta-data`,
  `${DATA}/meta-data/`,
  `${DATA}/meta-data/instance-id`,
  `${DATA}/meta-data/local-hostname`,
  `${DATA}/meta-data/public-keys`,
  `${DATA}/meta-data/vendor-data`,
  `${DATA}/meta-data/x509`,
  `${DATA}/meta-data/x509/0`,
  `${DATA}/user-data`,
  'status',
];

interface Sent {
  headers: Record<string, string>;
  body?: Buffer | undefined;
}

/** The status route takes a message, all others are read. */
async function ask(route: string, { headers, body }: Sent) {
  if (route !== 'status') return await region.ask({ method: 'GET', path: route, headers, body });
  const said = JSON.stringify({ event_type: 'progress', origin: 'cloudinit', name: 'init', description: 'said' });
  const path = `/MAAS/metadata/status/${machine.systemId}`;
  return await region.ask({ method: 'POST', path, headers, body: body ?? said });
}
const proper = (): Sent => ({ headers: { authorization: oauthOf(oauthParts(machine.token)) } });

/** Percent-encoded or not, as it stands in the header; none of them is a key, a secret or a signature method of ours. */
const oddPart = fc.constantFrom(
  '',
  '%00',
  'a%00b',
  '%ff',
  '%ed%a0%80',
  '%',
  '%zz',
  '\u00ff\u00fe',
  "';--",
  '"',
  '0',
  '-1',
  '1e999',
  'NaN',
  'Infinity',
  '99999999999999999999',
  'x'.repeat(200),
  'x'.repeat(3000),
  'x'.repeat(5000),
);
const SECRET = ['oauth_consumer_key', 'oauth_token', 'oauth_signature', 'oauth_signature_method'];
const FREE = ['oauth_nonce', 'oauth_timestamp', 'oauth_version', 'realm', '__proto__'];

/**
 * @fault A machine's token is presented with odd bytes, NULs among them, in each part of its OAuth header, to each route of
 * the metadata service.
 * @sees 401 when a key or the signature is wrong, whatever it is; the data or 401 for an odd time or nonce; never 500.
 * @ends Nothing unforeseen is in the region's log; the proper header opens what it opened before.
 */
test('no OAuth header fails the region, and none that is wrong opens anything', { timeout: 120_000 }, async () => {
  region.errors.length = 0;
  for (const route of ROUTES) {
    const usual = await ask(route, proper());
    const changes = fc.tuple(
      fc.dictionary(fc.constantFrom(...SECRET), oddPart, { maxKeys: 2 }),
      fc.dictionary(fc.constantFrom(...FREE), oddPart, { maxKeys: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(changes, async ([secret, free]) => {
        const authorization = oauthOf({ ...oauthParts(machine.token), ...free, ...secret });
        const answer = await ask(route, { headers: { authorization } });
        const told = `${route} ${authorization.slice(0, 400)}: ${answer.text}`;
        if (Object.keys(secret).length > 0) expect(answer.status, told).toBe(401);
        else expect([usual.status, 401], told).toContain(answer.status);
        expect(answer.text, told).toBe(answer.status === 401 ? 'Authorization Error: Invalid API key.' : usual.text);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    const after = await ask(route, proper());
    expect([after.status, after.text], route).toEqual([usual.status, usual.text]);
  }
  expect(region.errors).toEqual([]);
});

/**
 * @fault A machine asks for its metadata with its token, and with headers and bodies that do not belong to such a question.
 * @sees The same answer as without them, or a refusal of the 4xx kind; never 500.
 * @ends Nothing unforeseen is in the region's log; the token opens what it opened before.
 */
test('no other header and no body fails the region', { timeout: 120_000 }, async () => {
  region.errors.length = 0;
  const header = fc.constantFrom(
    ['accept', '\u00ff;q=NaN'],
    ['accept-encoding', 'x'.repeat(2000)],
    ['content-encoding', 'gzip'],
    ['content-type', ''],
    ['content-type', 'multipart/form-data; boundary='],
    ['content-type', `multipart/form-data; boundary=${'x'.repeat(2000)}`],
    ['content-type', 'application/json; charset=\u00ff'],
    ['cookie', 'sessionid=%00; \u00e9; =;'],
    ['if-none-match', '*'],
    ['if-modified-since', 'never'],
    ['range', 'bytes=5-1,-0,a-'],
    ['expect', 'x'],
    ['host', '\u00ff'],
    ['x-forwarded-for', "';--"],
    ['x-ingot-address', '10.0.0.1'],
    ['x-http-method-override', 'DELETE'],
  );
  const body = fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw)),
      fc.constantFrom(
        Buffer.from('['.repeat(100_000)),
        Buffer.from(`--x\r\n${'Content-Disposition: form-data; name="op"\r\n'.repeat(1000)}\r\n`),
        Buffer.alloc(900_000, 0xff),
        Buffer.alloc(3_000_000, 0x20),
      ),
    ),
    { nil: undefined },
  );
  const answers = new Map<number, number>();
  for (const route of ROUTES) {
    const usual = await ask(route, proper());
    await fc.assert(
      fc.asyncProperty(fc.array(header, { maxLength: 4 }), body, async (headers, sent) => {
        const answer = await ask(route, {
          headers: { ...Object.fromEntries(headers), ...proper().headers },
          body: sent,
        });
        answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
        const told = `${route} ${JSON.stringify(headers).slice(0, 400)} ${answer.status}: ${answer.text}`;
        if (answer.status === usual.status) expect(answer.text, told).toBe(usual.text);
        else expect([400, 411, 413, 415, 417], told).toContain(answer.status);
        expect(answer.text.length, told).toBeLessThan(300);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    const after = await ask(route, proper());
    expect([after.status, after.text], route).toEqual([usual.status, usual.text]);
  }
  // Answers as usual, and refusals of what is too long.
  expect(answers.get(200)).toBeGreaterThan(10);
  expect(answers.get(413)).toBeGreaterThan(0);
  expect(region.errors).toEqual([]);
});
