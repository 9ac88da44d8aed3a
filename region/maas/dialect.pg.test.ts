import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type Client, type Dialect, oauthHeader, startDialect } from './testing/dialect.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;

beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
}, 60_000);

afterAll(async () => {
  await dialect.close();
  await cluster.close();
});

describe('what every client asks first', () => {
  test('version without and with credentials', async () => {
    for (const client of [dialect.anonymous, admin]) {
      const answer = await client.get('version/');
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(answer.json()).toMatchObject({ version: '3.7.3', subversion: '' });
    }
    const wrong = await dialect.app.inject({
      url: '/MAAS/api/2.0/version/',
      headers: { authorization: oauthHeader('a:b:c') },
    });
    expect(wrong.statusCode).toBe(200);
  });

  test('describe is exactly application/json and its hash is in every answer', async () => {
    const answer = await dialect.anonymous.get('describe/');
    expect(answer.headers['content-type']).toBe('application/json');
    const document = answer.json() as { hash: string; resources: { name: string }[] };
    expect(document.hash).toMatch(/^[0-9a-f]{40}$/);
    expect((await admin.get('users/?op=whoami')).headers['x-maas-api-hash']).toBe(document.hash);
    const names = document.resources.map((resource) => resource.name);
    expect(names).toEqual([...names].sort());
  });

  test('whoami', async () => {
    const answer = await admin.get('users/?op=whoami');
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      username: 'admin',
      email: '',
      is_local: true,
      is_superuser: true,
      resource_uri: '/MAAS/api/2.0/users/admin/',
    });
    expect(answer.text.startsWith('{\n    "username"')).toBe(true);
  });

  test('no redirects; the old version is gone; doubled slashes are tolerated', async () => {
    expect((await admin.get('/MAAS/api/1.0/nodes/')).status).toBe(410);
    expect((await admin.get('//MAAS/api/2.0/version/')).status).toBe(200);
    const slashless = await admin.get('users');
    expect([slashless.status, slashless.text]).toEqual([404, 'Unknown API endpoint: /MAAS/api/2.0/users.']);
  });
});

describe('credentials', () => {
  test('none: 401 text Forbidden', async () => {
    const answer = await dialect.anonymous.get('users/?op=whoami');
    expect([answer.status, answer.text]).toEqual([401, 'Forbidden']);
  });

  test('unknown key: 401 beginning with Authorization Error', async () => {
    const answer = await dialect.app.inject({
      url: '/MAAS/api/2.0/users/?op=whoami',
      headers: { authorization: oauthHeader('a:b:c') },
    });
    expect(answer.statusCode).toBe(401);
    expect(answer.body).toBe('Authorization Error: Invalid API key.');
    expect(answer.headers['www-authenticate']).toBe('OAuth realm="OAuth"');
  });

  test('a nonce counts once and a timestamp for 300 seconds', async () => {
    const key = (await admin.get('account/?op=list_authorisation_tokens')).json() as { token: string }[];
    const token = key[0]?.token ?? '';
    const header = oauthHeader(token);
    const call = async (authorization: string) =>
      (await dialect.app.inject({ url: '/MAAS/api/2.0/users/?op=whoami', headers: { authorization } })).statusCode;
    expect(await call(header)).toBe(200);
    expect(await call(header)).toBe(401);
    const now = Math.floor(Date.now() / 1000);
    expect(await call(oauthHeader(token, { timestamp: now - 310 }))).toBe(401);
    expect(await call(oauthHeader(token, { timestamp: now + 3600 }))).toBe(200);
  });
});

describe('choosing the operation', () => {
  test('query, body and path suffix mean the same; an empty op is none', async () => {
    expect((await admin.post('account/?op=create_authorisation_token', { name: 'q' })).status).toBe(200);
    expect((await admin.post('account/', { op: 'create_authorisation_token', name: 'b' })).status).toBe(200);
    expect((await admin.post('account/op-create_authorisation_token', { name: 's' })).status).toBe(200);
    expect((await admin.get('users/?op=')).status).toBe(200);
    const names = (await admin.get('account/?op=list_authorisation_tokens')).json() as { name: string }[];
    expect(names.map((token) => token.name)).toEqual(expect.arrayContaining(['q', 'b', 's']));
  });

  test('unknown op is 400, unused method is 405 with Allow', async () => {
    const answer = await admin.post('users/?op=nonsense');
    expect([answer.status, answer.text]).toEqual([400, 'Unrecognised signature: method=POST op=nonsense']);
    const none = await admin.post('account/');
    expect(none.text).toBe('Unrecognised signature: method=POST op=None');
    const unused = await admin.remove('users/');
    expect([unused.status, unused.headers.allow]).toEqual([405, 'GET, POST']);
  });
});

describe('204', () => {
  test('carries a content type, without which the CLI dies', async () => {
    const token = (await admin.post('account/?op=create_authorisation_token')).json() as { token_key: string };
    const answer = await admin.post('account/?op=delete_authorisation_token', { token_key: token.token_key });
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([
      204,
      '',
      'text/plain; charset=utf-8',
    ]);
  });
});
