import {
  ApiError,
  AttemptView,
  EventView,
  Explain,
  MachineDetail,
  MachineView,
  PowerTypeView,
} from '@ingot/contract/native.ts';
import Fastify, { type InjectOptions } from 'fastify';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { createUser } from '../accounts/users.ts';
import { USER_DATA_LIMIT } from '../machines/deploy-request.ts';
import { updateMachine } from '../machines/update.ts';
import { readUserData } from '../store/user-data.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { startTestApi, type TestApi } from '../testing/native-api.ts';
import { failureOf } from './failure.ts';
import { loginLimit } from './login-limit.ts';
import { typicalTimes } from './read/typical.ts';
import { registerNativeApi } from './register.ts';
import { streamRoutes } from './routes/stream.ts';
import type { StreamHub } from './stream/hub.ts';

let cluster: TestCluster;
let api: TestApi;

beforeAll(async () => {
  cluster = await startTestCluster();
  api = await startTestApi(cluster);
});
afterAll(async () => {
  await api?.close();
  await cluster?.close();
});

type Who = 'admin' | 'ada' | 'bob' | 'local' | 'nobody';

async function call(who: Who, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) {
  const headers: Record<string, string> = {};
  if (who === 'local') headers['x-test-local'] = 'yes';
  else if (who !== 'nobody') headers.authorization = `Bearer ${api.keys[who]}`;
  const options: InjectOptions = { method, url: `/api/v1${path}`, headers };
  if (body !== undefined) options.payload = body as object;
  return api.app.inject(options);
}

function problem(response: { statusCode: number; json(): unknown }): [number, string] {
  const body = ApiError.parse(response.json());
  expect(body.fix).not.toBe('');
  return [response.statusCode, body.code];
}

describe('who may call', () => {
  it('nobody without credentials, and says so in one shape', async () => {
    expect(problem(await call('nobody', 'GET', '/machines'))).toEqual([401, 'auth.missing']);
    const wrong = await api.app.inject({
      url: '/api/v1/whoami',
      headers: { authorization: 'Bearer a:b:c' },
    });
    expect(problem(wrong)).toEqual([401, 'auth.key']);
  });

  it('an API key is its user, the local socket the first administrator', async () => {
    expect((await call('ada', 'GET', '/whoami')).json()).toEqual({ username: 'ada', admin: false });
    expect((await call('local', 'GET', '/whoami')).json()).toEqual({ username: 'admin', admin: true });
  });

  it('a session cookie is HttpOnly and SameSite=Strict, and does not change anything for a foreign page', async () => {
    const login = await api.app.inject({
      method: 'POST',
      url: '/api/v1/login',
      payload: { username: 'ada', password: 'ada-password' },
    });
    expect(login.statusCode).toBe(204);
    const cookie = String(login.headers['set-cookie']);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    const headers = { cookie: cookie.split(';')[0] ?? '' };
    expect((await api.app.inject({ url: '/api/v1/whoami', headers })).json()).toEqual({
      username: 'ada',
      admin: false,
    });
    const forged = await api.app.inject({ method: 'POST', url: '/api/v1/logout', headers });
    expect(problem(forged)).toEqual([403, 'auth.csrf']);
    const ours = { ...headers, 'x-ingot-csrf': '1' };
    expect((await api.app.inject({ method: 'POST', url: '/api/v1/logout', headers: ours })).statusCode).toBe(204);
    expect(problem(await api.app.inject({ url: '/api/v1/whoami', headers }))).toEqual([401, 'auth.missing']);
  });

  it('guessing passwords is slowed down', async () => {
    const guess = () =>
      api.app.inject({
        method: 'POST',
        url: '/api/v1/login',
        remoteAddress: '127.0.0.9',
        payload: { username: 'nobody', password: 'x' },
      });
    expect(problem(await guess())).toEqual([401, 'auth.wrong']);
    const codes = new Set<number>();
    for (let n = 0; n < 11; n += 1) codes.add((await guess()).statusCode);
    expect([...codes]).toEqual([401, 429]);
    expect(problem(await guess())).toEqual([429, 'auth.too_many']);
    expect((await guess()).headers['retry-after']).toMatch(/^\d+$/);
  });
});

describe('what is seen', () => {
  it('others than administrators see unowned machines and their own', async () => {
    await api.machine({ hostname: 'free' });
    await api.machine({ hostname: 'adas', status: 'ALLOCATED', ownerId: api.ids.ada });
    const bobs = await api.machine({ hostname: 'bobs', status: 'DEPLOYED', ownerId: api.ids.bob });
    const names = async (who: Who) =>
      z
        .array(MachineView)
        .parse((await call(who, 'GET', '/machines')).json())
        .map((machine) => machine.hostname);
    expect(await names('admin')).toEqual(['adas', 'bobs', 'free']);
    expect(await names('ada')).toEqual(['adas', 'free']);
    expect(await names('bob')).toEqual(['bobs', 'free']);
    for (const path of ['', '/explain', '/attempts', '/events', '/results', '/explain/deploy']) {
      expect(problem(await call('ada', 'GET', `/machines/${bobs}${path}`))).toEqual([404, 'not_found']);
    }
    expect(problem(await call('ada', 'POST', '/machines/bobs/actions/release'))).toEqual([404, 'not_found']);
  });

  it('the filter is the language of the console, and a wrong one is refused with what to write', async () => {
    const list = await call(
      'admin',
      'GET',
      `/machines?filter=${encodeURIComponent('status:deployed owner:bob cpu:>=2')}`,
    );
    expect(z.array(MachineView).parse(list.json())).toHaveLength(1);
    expect(problem(await call('admin', 'GET', '/machines?filter=cpu:few'))).toEqual([400, 'filter.invalid']);
    expect(problem(await call('admin', 'GET', '/machines?filtre=x'))).toEqual([400, 'input.unknown_key']);
  });

  it('a list of up to a page costs who asks and one statement, and so does a machine', async () => {
    const once = async (path: string) => {
      let queries = 0;
      const original = pg.Client.prototype.query;
      // Not what is borrowed from the pool: on one connection there can be many statements.
      const counting = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
        this: pg.Client,
        ...rest: unknown[]
      ) {
        queries += 1;
        return Reflect.apply(original, this, rest);
      });
      await call('admin', 'GET', path);
      counting.mockRestore();
      return queries;
    };
    // The change feed polls through the same pool; it cannot hit five of them.
    const count = async (path: string) => {
      let least = Number.POSITIVE_INFINITY;
      for (let n = 0; n < 5; n += 1) least = Math.min(least, await once(path));
      return least;
    };
    const list = '/machines?filter=nothing-is-named-so';
    await count(list);
    expect(await count(list)).toBe(2);
    for (let n = 0; n < 10; n += 1) await api.machine({ hostname: `many${n}`, status: 'NEW' });
    expect(await count(list)).toBe(2);
    expect(await count('/machines/free')).toBe(2);
  });

  it('a machine is found by hostname and shows hardware, interfaces and disks', async () => {
    const machine = MachineDetail.parse((await call('ada', 'GET', '/machines/free')).json());
    expect(machine).toMatchObject({ fqdn: 'free.maas', diskCount: 1, storage: 8 * 2 ** 30, statusName: 'Ready' });
    expect(machine.interfaces[0]).toMatchObject({ name: 'eth0' });
    expect(machine.disks[0]).toMatchObject({ name: 'sda' });
  });
});

describe('what is done', () => {
  it('unknown keys, unknown actions and keys that an action does not read are bad input', async () => {
    expect(problem(await call('admin', 'POST', '/machines/free/actions/lock', { colour: 'red' }))).toEqual([
      400,
      'input.unknown_key',
    ]);
    expect(problem(await call('admin', 'POST', '/machines/free/actions/fly'))).toEqual([400, 'input.invalid']);
    // A test of nothing would pass.
    for (const field of ['testingScripts', 'commissioningScripts']) {
      const odd = await call('admin', 'POST', '/machines/free/actions/commission', { [field]: ['smartctl-shrot'] });
      expect([...problem(odd), odd.json().field]).toEqual([400, 'input.invalid', field]);
    }
    expect(problem(await call('admin', 'POST', '/machines/free/actions/lock', { erase: true }))).toEqual([
      400,
      'input.unknown_key',
    ]);
    const text = await api.app.inject({
      method: 'POST',
      url: '/api/v1/machines/free/actions/lock',
      headers: { authorization: `Bearer ${api.keys.admin}`, 'content-type': 'application/json' },
      payload: '{"comment": ',
    });
    expect(problem(text)).toEqual([400, 'input.invalid']);
    const form = await api.app.inject({
      method: 'POST',
      url: '/api/v1/machines/free/actions/lock',
      headers: { authorization: `Bearer ${api.keys.admin}`, 'content-type': 'text/yaml' },
      payload: 'comment: x',
    });
    expect(problem(form)).toEqual([415, 'input.media_type']);
  });

  it('bodies have a limit', async () => {
    const large = { username: 'x'.repeat(100_000), password: 'y' };
    expect(problem(await call('nobody', 'POST', '/login', large))).toEqual([413, 'input.too_large']);
    const data = { userData: 'x'.repeat(1_500_001) };
    expect(problem(await call('admin', 'POST', '/machines/free/actions/deploy', data))).toEqual([400, 'input.invalid']);
    const base64 = { userData: 'not base64!', userDataEncoding: 'base64' };
    expect(problem(await call('admin', 'POST', '/machines/free/actions/deploy', base64))).toEqual([
      400,
      'input.invalid',
    ]);
    const bytes = { userData: 'x'.repeat(USER_DATA_LIMIT + 1) };
    expect(problem(await call('admin', 'POST', '/machines/free/actions/deploy', bytes))).toEqual([
      400,
      'user_data.too_large',
    ]);
  });

  it('allocate takes the smallest that fits and says which constraint leaves nothing', async () => {
    await api.machine({ hostname: 'small', cpuCount: 4, memory: 4096 });
    await api.machine({ hostname: 'large', cpuCount: 16, memory: 65_536 });
    const taken = MachineView.parse((await call('ada', 'POST', '/machines/allocate', { cpuCount: 4 })).json());
    expect(taken).toMatchObject({ hostname: 'small', status: 'ALLOCATED', owner: 'ada' });
    const none = await call('ada', 'POST', '/machines/allocate', { cpuCount: 4, memory: 100_000 });
    expect(problem(none)).toEqual([409, 'allocate.none']);
    expect(ApiError.parse(none.json()).message).toContain('0 with memory 100000 MiB');
  });

  it('a refused action answers with the first reason that explain gives, and changes nothing', async () => {
    const explained = Explain.parse((await call('ada', 'GET', '/machines/free/explain/release')).json());
    expect(explained.allowed).toBe(true);
    const lock = Explain.parse((await call('ada', 'GET', '/machines/small/explain/lock')).json());
    expect(lock.allowed).toBe(false);
    const refused = await call('ada', 'POST', '/machines/small/actions/lock');
    expect(problem(refused)).toEqual([409, lock.reasons[0]?.code]);
    expect(ApiError.parse(refused.json()).message).toBe(lock.reasons[0]?.message);
    const all = z.array(Explain).parse((await call('ada', 'GET', '/machines/small/explain')).json());
    expect(all.find((one) => one.action === 'commission')?.reasons[0]?.code).toBe('perm.missing');
    expect(problem(await call('ada', 'POST', '/machines/small/actions/commission'))).toEqual([403, 'perm.missing']);
  });

  it('a locked machine refuses everything but unlock', async () => {
    await api.machine({ hostname: 'kept', status: 'DEPLOYED', ownerId: api.ids.ada, locked: true });
    expect(problem(await call('ada', 'POST', '/machines/kept/actions/release'))).toEqual([403, 'locked']);
    expect(problem(await call('admin', 'PATCH', '/machines/kept', { description: 'x' }))).toEqual([403, 'locked']);
    const unlocked = MachineView.parse((await call('ada', 'POST', '/machines/kept/actions/unlock')).json());
    expect(unlocked.locked).toBe(false);
  });

  it('a refused deploy leaves the user data of a deployed machine alone, and names the missing image', async () => {
    const kept = MachineView.parse((await call('ada', 'GET', '/machines/kept')).json());
    const deployed = await call('ada', 'POST', '/machines/kept/actions/deploy', { userData: '#cloud-config' });
    expect(deployed.statusCode).toBe(409);
    expect(await readUserData(api.deps, kept.systemId)).toBeNull();
    const small = await call('ada', 'POST', '/machines/small/actions/deploy', { image: 'plan9' });
    const explained = Explain.parse((await call('ada', 'GET', '/machines/small/explain/deploy?image=plan9')).json());
    expect(problem(small)[1]).toBe(explained.reasons[0]?.code);
    expect(explained.reasons.map((reason) => reason.code).join()).toContain('image.');
  });

  it('power settings are what GET /power-types says they are', async () => {
    const types = z.array(PowerTypeView).parse((await call('ada', 'GET', '/power-types')).json());
    expect(types.map((type) => type.name)).toEqual(['ipmi', 'manual', 'redfish', 'webhook']);
    const redfish = { power_address: '10.0.0.9', power_user: 'root', power_pass: 'calvin' };
    const refusal = async (powerType: string, powerParameters: Record<string, string>) => {
      const answer = await call('admin', 'PATCH', '/machines/large', { powerType, powerParameters });
      expect(answer.payload).not.toContain('calvin');
      return [...problem(answer), ApiError.parse(answer.json()).field];
    };
    const wrong = (field: string) => [400, 'input.invalid', field];
    expect(await refusal('abacus', {})).toEqual(wrong('powerType'));
    expect(await refusal('redfish', { ...redfish, power_pass: '' })).toEqual(wrong('powerParameters.power_pass'));
    expect(await refusal('redfish', { ...redfish, colour: 'red' })).toEqual(wrong('powerParameters.colour'));
    const verify = { ...redfish, power_verify_ssl: 'calvin' };
    expect(await refusal('redfish', verify)).toEqual(wrong('powerParameters.power_verify_ssl'));
    const taken = await call('admin', 'PATCH', '/machines/large', { powerType: 'redfish', powerParameters: redfish });
    expect(MachineView.parse(taken.json()).powerType).toBe('redfish');
    expect((await call('admin', 'GET', '/machines/large/power-parameters')).payload).not.toContain('calvin');
  });

  it('an administrator changes name, tags and power settings; secrets are never shown', async () => {
    const patch = {
      hostname: 'renamed',
      tags: ['gpu', 'gpu', 'new'],
      powerType: 'ipmi',
      powerParameters: { power_address: '127.0.0.1', power_user: 'root', power_pass: 'hidden' },
    };
    const after = MachineView.parse((await call('admin', 'PATCH', '/machines/large', patch)).json());
    expect(after).toMatchObject({ hostname: 'renamed', tags: ['gpu', 'new'], powerType: 'ipmi' });
    const power = await call('admin', 'GET', '/machines/renamed/power-parameters');
    expect(power.json()).toEqual({
      powerType: 'ipmi',
      parameters: { power_address: '127.0.0.1', power_user: 'root' },
    });
    expect(problem(await call('ada', 'PATCH', '/machines/renamed', { description: 'x' }))).toEqual([
      403,
      'perm.missing',
    ]);
    expect(problem(await call('ada', 'GET', '/machines/renamed/power-parameters'))).toEqual([403, 'perm.missing']);
    expect(problem(await call('admin', 'PATCH', '/machines/renamed', { zone: 'moon' }))).toEqual([400, 'zone.unknown']);
    expect(problem(await call('admin', 'PATCH', '/machines/renamed', { pool: 'deep' }))).toEqual([400, 'pool.unknown']);
    const { systemId } = after;
    await expect(updateMachine(api.deps, systemId, { tags: ['no spaces'] })).rejects.toMatchObject({
      code: 'tag.name_invalid',
    });
    expect(problem(await call('admin', 'PATCH', '/machines/renamed', { hostname: 'free' }))).toEqual([
      400,
      'machine.hostname_taken',
    ]);
    const events = z.array(EventView).parse((await call('admin', 'GET', '/machines/renamed/events')).json());
    expect(events[0]?.description).toContain('Updated hostname');
    expect(JSON.stringify(events)).not.toContain('hidden');
  });

  it('delete answers 204 and the machine is gone', async () => {
    await api.machine({ hostname: 'doomed', status: 'NEW' });
    expect((await call('admin', 'POST', '/machines/doomed/actions/delete')).statusCode).toBe(204);
    expect(problem(await call('admin', 'GET', '/machines/doomed'))).toEqual([404, 'not_found']);
  });
});

describe('attempts', () => {
  it('show phases, what is typical after three passed runs, and evidence', async () => {
    const systemId = await api.machine({ hostname: 'tried', status: 'COMMISSIONING' });
    const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));
    for (let id = 901; id <= 904; id += 1) {
      const last = id === 904;
      await api.deps.db
        .insertInto('attempts')
        .values({
          id,
          system_id: systemId,
          hostname: 'tried',
          kind: 'rescue',
          started: at(0),
          ended: last ? null : at(60),
          outcome: last ? null : 'passed',
          phase: 'dhcp',
          phase_since: at(0),
          deadline: last ? at(90) : null,
        })
        .execute();
      await api.deps.db
        .insertInto('attempt_phases')
        .values([
          { attempt_id: id, name: 'power', started: at(0), ended: at(id - 900), own_ms: 250 },
          // The same phase once more, much shorter: each turn has a time of its own.
          { attempt_id: id, name: 'power', started: at(4), ended: new Date(at(4).getTime() + 100) },
          { attempt_id: id, name: 'dhcp', started: at(5), ended: last ? null : at(8), bytes_done: 5, bytes_total: 10 },
        ])
        .execute();
    }
    await api.deps.db
      .insertInto('evidence')
      .values({ attempt_id: 904, system_id: systemId, phase: 'dhcp', kind: 'dhcp.lease', text: 'lease 127.0.0.7' })
      .execute();
    const attempts = z.array(AttemptView).parse((await call('admin', 'GET', '/machines/tried/attempts')).json());
    expect(attempts.map((attempt) => attempt.id)).toEqual([904, 903, 902, 901]);
    const [power, , dhcp] = attempts[0]?.phases ?? [];
    expect(power).toMatchObject({ name: 'power', seconds: 4, ownSeconds: 0.25 });
    expect(dhcp).toMatchObject({
      name: 'dhcp',
      endedAt: null,
      bytesDone: 5,
      bytesTotal: 10,
      deadline: at(90).toISOString(),
    });
    const evidence = await call('admin', 'GET', '/machines/tried/attempts/904/evidence');
    expect(evidence.json()).toMatchObject([{ kind: 'dhcp.lease', phase: 'dhcp', text: 'lease 127.0.0.7' }]);
    expect(problem(await call('admin', 'GET', '/machines/free/attempts/904/evidence'))).toEqual([404, 'not_found']);
    // The medians were cached before these rows were written; a second server reads them now.
    const second = await startTestApiOn();
    const typical = z
      .array(AttemptView)
      .parse(
        (await second.inject({ url: '/api/v1/machines/tried/attempts', headers: { 'x-test-local': 'yes' } })).json(),
      );
    expect(typical[0]?.phases.map((phase) => phase.typicalSeconds)).toEqual([2, 0.1, 3]);
    await second.close();
  });
});

async function startTestApiOn() {
  const app = Fastify();
  app.addHook('onRequest', async (request) => {
    request.localAdmin = true;
  });
  await registerNativeApi(app, api.deps);
  return app;
}

describe('site', () => {
  it('settings are checked by name and shape', async () => {
    const changed = await call('admin', 'POST', '/settings', { node_timeout: 20 });
    expect(changed.json()).toMatchObject({ node_timeout: 20 });
    expect(problem(await call('admin', 'POST', '/settings', { node_timeout: 0 }))).toEqual([400, 'setting.invalid']);
    expect(problem(await call('admin', 'POST', '/settings', { toString: 1 }))).toEqual([400, 'setting.unknown']);
    expect(problem(await call('ada', 'GET', '/settings'))).toEqual([403, 'perm.missing']);
  });

  it('images are registered only on the host of the region', async () => {
    const image = {
      purpose: 'deploy',
      os: 'debian',
      release: 'bookworm',
      arch: 'amd64',
      version: '20260101',
      files: [{ filetype: 'root-tgz', path: '/nowhere' }],
    };
    expect(problem(await call('admin', 'POST', '/images', image))).toEqual([403, 'perm.local']);
    const nameless = { ...image, os: '../debian' };
    expect(problem(await call('local', 'POST', '/images', nameless))).toEqual([400, 'image.bad_name']);
    expect((await call('ada', 'GET', '/images')).json()).toEqual([]);
  });

  it('SSH keys belong to who adds them', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@desk';
    const added = (await call('ada', 'POST', '/ssh-keys', { key })).json();
    expect(added).toMatchObject({ comment: 'ada@desk', fingerprint: expect.stringMatching(/^SHA256:/) });
    expect(problem(await call('ada', 'POST', '/ssh-keys', { key: 'hello' }))).toEqual([400, 'ssh_key.invalid']);
    expect((await call('bob', 'GET', '/ssh-keys')).json()).toEqual([]);
    expect(problem(await call('bob', 'DELETE', `/ssh-keys/${added.id}`))).toEqual([404, 'not_found']);
    expect((await call('ada', 'DELETE', `/ssh-keys/${added.id}`)).statusCode).toBe(204);
  });

  it('an administrator makes accounts, everybody their own keys', async () => {
    const user = { username: 'carol', password: 'long enough' };
    expect((await call('admin', 'POST', '/users', user)).json()).toEqual({ username: 'carol', admin: false });
    expect(problem(await call('ada', 'POST', '/users', { ...user, username: 'dan' }))).toEqual([403, 'perm.missing']);
    expect(problem(await call('admin', 'POST', '/users', user))).toEqual([400, 'user.exists']);
    const bare = { username: 'dan', password: '', isAdmin: false };
    await expect(createUser(api.deps, bare)).rejects.toMatchObject({ code: 'user.password_invalid' });
    const odd = { ...bare, password: user.password, username: 'dan dan' };
    await expect(createUser(api.deps, odd)).rejects.toMatchObject({ code: 'user.name_invalid' });
    expect(problem(await call('ada', 'POST', '/users/carol/api-keys', {}))).toEqual([403, 'perm.missing']);
    expect((await call('ada', 'POST', '/users/ada/api-keys', {})).json().key).toMatch(/^\w+:\w+:\w+$/);
  });

  it('an unknown path is a 404 in the same shape', async () => {
    expect(problem(await call('admin', 'GET', '/nothing'))).toEqual([404, 'not_found']);
  });

  it('a network must be one, and have room for a range', async () => {
    const served = (body: object) => call('admin', 'POST', '/network/serve', body);
    expect(problem(await served({ cidr: '10.66.0.1/24' }))).toEqual([400, 'network.invalid']);
    expect((await served({ cidr: '10.66.0.0/29', start: '10.66.0.1', end: '10.66.0.3' })).statusCode).toBe(200);
    const { id } = await api.deps.db
      .selectFrom('subnets')
      .select('id')
      .where('cidr', '=', '10.66.0.0/29')
      .executeTakeFirstOrThrow();
    await api.deps.db.deleteFrom('address_spans').where('subnet_id', '=', id).execute();
    await api.deps.db
      .insertInto('address_spans')
      .values({ subnet_id: id, span: '[10.66.0.4,10.66.0.6]', kind: 'reserved-range' })
      .execute();
    expect(problem(await served({ cidr: '10.66.0.0/29' }))).toEqual([503, 'network.full']);
  });

  it('a token for a rack of another host is given only where such racks can come in', async () => {
    expect(problem(await call('admin', 'POST', '/racks/tokens'))).toEqual([409, 'rack.no_listener']);
  });

  it('an event stream too many is asked to come back', async () => {
    const hub: StreamHub = {
      attach() {
        throw new Error('one reader too many was let in');
      },
      resume: async () => null,
      cursor: () => '1.1',
      readers: () => 1000,
      close: () => undefined,
    };
    const app = Fastify();
    app.setErrorHandler((error, _request, reply) => {
      const failure = failureOf(error);
      return reply.code(failure?.status ?? 500).send(failure?.body);
    });
    const reader = { userId: 1, username: 'ada', admin: false, via: 'api-key', address: null, userAgent: '' } as const;
    for (const route of streamRoutes({ hub, typical: typicalTimes(api.deps.db), logins: loginLimit() })) {
      app.get(route.path, (request, reply) => route.run(api.deps, reader, request, reply));
    }
    expect(problem(await app.inject({ url: '/events/stream' }))).toEqual([503, 'stream.full']);
    await app.close();
  });

  it('what nobody foresaw is an answer in the same shape, with the request to look for', async () => {
    const app = Fastify();
    const db = new Proxy(api.deps.db, {
      get() {
        throw new Error('the database is on fire');
      },
    });
    app.addHook('onRequest', async (request) => {
      request.localAdmin = true;
    });
    await registerNativeApi(app, { ...api.deps, db });
    const answer = await app.inject({ url: '/api/v1/whoami' });
    expect(problem(answer)).toEqual([500, 'internal']);
    expect(answer.body).not.toContain('on fire');
    await app.close();
  });
});
