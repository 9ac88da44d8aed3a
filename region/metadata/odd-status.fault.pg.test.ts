import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InstanceToken } from '../accounts/instance-tokens.ts';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';
import { machineWithToken, oauthOf, oauthParts } from './testing/machine-with-token.ts';

// Whoever owns a machine holds its token and may send with it what he likes. The seed is kept: a failure repeats.
// INGOT_FAULT_RUNS asks more often.

const SEED = 20260309;
const RUNS = Number(process.env.INGOT_FAULT_RUNS ?? 300);
const MIB = 1024 * 1024;

let region: ServedRegion;
let systemId: string;
let token: InstanceToken;
beforeAll(async () => {
  region = await startServedRegion();
  ({ systemId, token } = await machineWithToken(region));
});
afterAll(() => region?.stop());

const signed = () => ({ authorization: oauthOf(oauthParts(token)) });

const tell = (body: Buffer | string, type = 'application/json') =>
  region.ask({
    method: 'POST',
    path: `/MAAS/metadata/status/${systemId}`,
    headers: { ...signed(), 'content-type': type },
    body,
  });

const said = (changes: object) =>
  JSON.stringify({ event_type: 'start', origin: 'cloudinit', name: 'init-local', description: 'said', ...changes });

/** All that its row holds, and how its first boot stands. */
async function state(): Promise<object> {
  const { db } = region.deps;
  const machine = await db
    .selectFrom('machines')
    .selectAll()
    .where('system_id', '=', systemId)
    .executeTakeFirstOrThrow();
  const attempt = await db
    .selectFrom('attempts')
    .select(['phase', 'phase_since', 'outcome', 'ended'])
    .where('id', '=', 1)
    .executeTakeFirstOrThrow();
  return { machine, attempt };
}

const odd = fc.constantFrom<unknown>(
  '',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udc00\ud800',
  "';--",
  '%s%n',
  'modules-final',
  'init-local/x',
  'FAIL',
  'SUCCESS',
  'start',
  'finish',
  '\u001b[2J',
  'x'.repeat(4096),
  'x'.repeat(100_000),
  0,
  -1,
  1e308,
  2 ** 53,
  true,
  null,
  [],
  {},
  { toString: 1 },
  [[[]]],
);
const oddText = odd.filter((value) => typeof value === 'string' && value.length < 200);
const NAMES = ['event_type', 'origin', 'name', 'description', 'result', 'timestamp', 'files', '__proto__'];

const message = fc.oneof(
  fc.dictionary(fc.constantFrom(...NAMES), odd).map((changes) => said(changes)),
  fc
    .dictionary(fc.constantFrom('event_type', 'name', 'description', 'result'), oddText)
    .map((changes) => said(changes)),
  fc.record(Object.fromEntries(NAMES.map((name) => [name, odd]))).map((all) => JSON.stringify(all)),
  fc.json(),
  fc.string(),
  fc.constantFrom('', 'null', '[]', '{', '['.repeat(100_000), `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
);
/** Nearly the word that ends a first boot. */
const nearlyLast = fc
  .tuple(
    fc.constantFrom('event_type', 'origin', 'name', 'description', 'result'),
    fc.constantFrom<unknown>(0, true, null, [], {}, 'z'.repeat(5000)),
  )
  .map(([field, value]) => said({ event_type: 'finish', name: 'modules-final', result: 'SUCCESS', [field]: value }));
const LAST = said({ event_type: 'finish', name: 'modules-final', result: 'SUCCESS' });
const wrapped = fc.constantFrom(
  `--x\r\nContent-Disposition: form-data; name="status"\r\n\r\n${LAST}\r\n--x--\r\n`,
  `--x\r\nContent-Disposition: form-data; name="a"; filename="../../x"\r\nContent-Type: application/json\r\n\r\n${LAST}`,
  '--x\r\n'.repeat(5000),
  '--x--',
  new URLSearchParams({ op: 'signal', status: 'OK', body: LAST }).toString(),
  `[${LAST}]`,
  `${LAST}${LAST}`,
  `\ufeff${LAST}`,
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: message.map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.oneof(nearlyLast, wrapped).map((text) => Buffer.from(text)) },
  fc.constantFrom(
    gzipSync(LAST),
    Buffer.from(LAST, 'utf16le'),
    Buffer.from(LAST.replace('said', '\xff\xfe'), 'latin1'),
  ),
  fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw)),
  // A message that was cut, or in which one byte fell over.
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => {
    const whole = Buffer.from(said({ result: 'SUCCESS' }));
    whole[at % whole.length] = value;
    return at % 3 === 0 ? whole.subarray(0, at % whole.length) : whole;
  }),
);
const type = fc.constantFrom(
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'application/json; charset=utf-16',
  ';',
);

/** It is what cloud-init says at the end of a stage: that may end the first boot, and means to. */
function endsStage(body: Buffer): boolean {
  try {
    const { event_type, origin, name, description, result = '' } = JSON.parse(body.toString('latin1'));
    return event_type === 'finish' && [origin, name, description, result].every((text) => typeof text === 'string');
  } catch {
    return false;
  }
}

/**
 * @fault A deployed system reports to cloud-init's webhook with its token what no cloud-init would: wrong types, NUL and lone
 * surrogates, depth, cut messages, other content types, multipart, all but the word that ends its first boot.
 * @sees 204 for what is understood, 400 with the reason for anything else; never 500.
 * @ends Not a field of the machine changes, nothing unforeseen is in the region's log, and a proper message is taken as before.
 */
test('no status message of a machine fails the region', { timeout: 120_000 }, async () => {
  region.errors.length = 0;
  const answers = new Map<number, number>();
  const before = await state();
  await fc.assert(
    fc.asyncProperty(bytes, type, async (body, contentType) => {
      fc.pre(!endsStage(body));
      const answer = await tell(body, contentType);
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      expect([204, 400, 415], `${body.toString('latin1').slice(0, 300)}: ${answer.text}`).toContain(answer.status);
      expect(answer.text.length).toBeLessThan(300);
      expect(await state(), body.toString('latin1').slice(0, 300)).toEqual(before);
    }),
    { seed: SEED, numRuns: RUNS },
  );
  // Both were tried.
  expect(answers.get(204)).toBeGreaterThan(10);
  expect(answers.get(400)).toBeGreaterThan(10);
  expect(region.errors).toEqual([]);
  expect((await tell(said({ description: 'a proper one' }))).status).toBe(204);
  const { text } = await region.ask({ method: 'GET', path: `/api/v1/machines/${systemId}/events`, local: true });
  expect(text).toContain('a proper one');
});

/**
 * @fault A deployed system sends status messages of megabytes with its token.
 * @sees 413; of a long field at most 4 KiB are kept, and 400 says that the message is not understood beyond that.
 * @ends Nothing of them is stored.
 */
test('a status message beyond the limit is refused, and a long field is not stored', async () => {
  expect((await tell(said({ description: 'y'.repeat(2 * MIB) }))).status).toBe(413);
  for (const name of ['event_type', 'origin', 'name', 'description', 'result']) {
    expect((await tell(said({ [name]: 'z'.repeat(500_000) }))).status, name).toBe(400);
  }
  const { text } = await region.ask({ method: 'GET', path: `/api/v1/machines/${systemId}/events`, local: true });
  expect(text).not.toMatch(/y{5000}|z{5000}/);
});

/**
 * @fault A deployed system asks the metadata service for paths and versions that there are not, with its token.
 * @sees 404 with a line of text.
 * @ends Nothing unforeseen is in the region's log; what there is is served as before.
 */
test('no path of the metadata service fails the region', { timeout: 120_000 }, async () => {
  region.errors.length = 0;
  const part = fc.constantFrom(
    '',
    '2012-03-01',
    'latest',
    'meta-data',
    'user-data',
    'status',
    'public-keys',
    'instance-id',
    systemId,
    '..',
    '%2e%2e',
    '%00',
    '%ff',
    '%',
    'x'.repeat(3000),
    '?op=',
    ';',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD'),
      fc.array(part, { maxLength: 6 }),
      async (method, parts) => {
        const answer = await region.ask({ method, path: `/MAAS/metadata/${parts.join('/')}`, headers: signed() });
        expect(answer.status, `${method} ${parts.join('/').slice(0, 200)}: ${answer.text}`).toBeLessThan(500);
        expect(answer.text.length).toBeLessThan(8000);
      },
    ),
    { seed: SEED, numRuns: RUNS },
  );
  expect(region.errors).toEqual([]);
  const own = await region.ask({
    method: 'GET',
    path: '/MAAS/metadata/2012-03-01/meta-data/instance-id',
    headers: signed(),
  });
  expect(own.text).toBe(systemId);
});

test('after all that, the proper last word of cloud-init ends the first boot', async () => {
  expect(await state()).toMatchObject({ attempt: { phase: 'first-boot', outcome: null } });
  expect((await tell(LAST)).status).toBe(204);
  expect(await state()).toMatchObject({ machine: { status: 'DEPLOYED' }, attempt: { outcome: 'passed' } });
});
