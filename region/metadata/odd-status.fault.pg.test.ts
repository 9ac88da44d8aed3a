import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInstanceToken, type InstanceToken, instanceTokenOf } from '../accounts/instance-tokens.ts';
import { createMachine } from '../machines/create.ts';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';

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
  const { db, sealer } = region.deps;
  const changes = {
    subscribe: () => () => undefined,
    since: async () => [],
    cursor: () => '0',
    announce: () => undefined,
  };
  const wanted = {
    architecture: 'amd64/generic',
    macAddresses: ['52:54:00:aa:bb:01'],
    power: { type: 'manual', parameters: {} },
  };
  ({ systemId } = await createMachine({ ...region.deps, changes }, wanted));
  const { id } = await db
    .updateTable('machines')
    .set({ status: 'DEPLOYED', osystem: 'debian', distro_series: 'bookworm' })
    .where('system_id', '=', systemId)
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.transaction().execute((trx) => createInstanceToken(trx, sealer, id));
  // Its first boot is under way, so that what it says is evidence of an attempt.
  const now = new Date();
  const attempt = { id: 1, kind: 'deploy', phase: 'first-boot', started: now, phase_since: now, agent_seen: true };
  await db
    .insertInto('attempts')
    .values({ ...attempt, machine_id: id, system_id: systemId, hostname: 'odd' })
    .execute();
  await db.updateTable('machines').set({ attempt_id: attempt.id }).where('id', '=', id).execute();
  const made = await instanceTokenOf(region.deps, systemId);
  if (made === null) throw new Error('no token');
  token = made;
});
afterAll(() => region?.stop());

let nonces = 0;
function signed(): Record<string, string> {
  nonces += 1;
  const parts = {
    oauth_nonce: `n${nonces}`,
    oauth_timestamp: String(Math.round(Date.now() / 1000)),
    oauth_version: '1.0',
    oauth_signature_method: 'PLAINTEXT',
    oauth_consumer_key: token.consumerKey,
    oauth_token: token.tokenKey,
    oauth_signature: `%26${token.tokenSecret}`,
  };
  const fields = Object.entries(parts).map(([name, value]) => `${name}="${value}"`);
  return { authorization: `OAuth ${fields.join(', ')}` };
}

const tell = (body: Buffer | string, type = 'application/json') =>
  region.ask({
    method: 'POST',
    path: `/MAAS/metadata/status/${systemId}`,
    headers: { ...signed(), 'content-type': type },
    body,
  });

const said = (changes: object) =>
  JSON.stringify({ event_type: 'start', origin: 'cloudinit', name: 'init-local', description: 'said', ...changes });

/** As the native API tells it. */
async function status(): Promise<string> {
  const { text } = await region.ask({ method: 'GET', path: `/api/v1/machines/${systemId}`, local: true });
  return JSON.parse(text).status;
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
const NAMES = ['event_type', 'origin', 'name', 'description', 'result', 'timestamp', 'files', '__proto__'];

const message = fc.oneof(
  fc.dictionary(fc.constantFrom(...NAMES), odd).map((changes) => said(changes)),
  fc.record(Object.fromEntries(NAMES.map((name) => [name, odd]))).map((all) => JSON.stringify(all)),
  fc.json(),
  fc.string(),
  fc.constantFrom('', 'null', '[]', '{', '['.repeat(100_000), `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: message.map((text) => Buffer.from(text)) },
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

/**
 * @fault A deployed system reports to cloud-init's webhook with its token what no cloud-init would: wrong types, NUL and lone
 * surrogates, depth, cut messages, other content types.
 * @sees 204 for what is understood, 400 with the reason for anything else; never 500.
 * @ends The machine stays what it is, nothing unforeseen is in the region's log, and a proper message is taken as before.
 */
test('no status message of a machine fails the region', { timeout: 120_000 }, async () => {
  region.errors.length = 0;
  const answers = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(bytes, type, async (body, contentType) => {
      const answer = await tell(body, contentType);
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      expect([204, 400, 415], `${body.toString('latin1').slice(0, 300)}: ${answer.text}`).toContain(answer.status);
      expect(answer.text.length).toBeLessThan(300);
    }),
    { seed: SEED, numRuns: RUNS },
  );
  // Both were tried.
  expect(answers.get(204)).toBeGreaterThan(10);
  expect(answers.get(400)).toBeGreaterThan(10);
  expect(await status()).toBe('DEPLOYED');
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
