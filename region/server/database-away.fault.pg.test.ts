import { ApiError } from '@ingot/contract/native.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oauthHeader } from '../maas/testing/dialect.ts';
import { waitGone } from '../postgres/running-server.ts';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';

let region: ServedRegion;
beforeAll(async () => {
  region = await startServedRegion();
});
afterAll(() => region?.stop());

/**
 * @fault PostgreSQL is killed with -9 under a region that has connections open and idle, lent and in use.
 * @sees 503 with Retry-After on each API: database.away natively, plain text in the dialect, so that clients try again.
 * @ends The region lives on; when the database is back it serves without a restart.
 */
test('a database that is killed is said to be away, and found again', async () => {
  const asked = () => ({
    native: region.ask({ method: 'GET', path: '/api/v1/machines', local: true }),
    dialect: region.ask({
      method: 'GET',
      path: '/MAAS/api/2.0/users/',
      headers: { authorization: oauthHeader(region.apiKey) },
    }),
    health: region.ask({ method: 'GET', path: '/healthz' }),
  });
  const busy = Array.from({ length: 8 }, () => region.ask({ method: 'GET', path: '/api/v1/events', local: true }));
  process.kill(region.cluster.pid(), 'SIGKILL');
  expect(await waitGone(region.cluster.pid(), 10_000)).toBe(true);
  await Promise.all(busy);
  const away = asked();
  const native = await away.native;
  expect([native.status, native.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)]);
  expect(ApiError.parse(JSON.parse(native.text))).toMatchObject({
    code: 'database.away',
    fix: expect.stringMatching(/\w/),
  });
  expect(await away.dialect).toMatchObject({
    status: 503,
    headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
    text: expect.stringContaining('The database does not answer'),
  });
  expect((await away.health).status).toBe(503);
  await region.cluster.restart();
  const back = asked();
  expect((await back.native).status).toBe(200);
  // What was stored is the business of a durable server; this one is not.
  expect((await back.dialect).status).toBeLessThan(500);
  expect((await back.health).status).toBe(200);
});
