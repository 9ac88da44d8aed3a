import { randomBytes } from 'node:crypto';
import { decide } from '@ingot/core/machine/decide.ts';
import fastify, { type FastifyInstance } from 'fastify';
import { createToken, formatToken } from '../../accounts/api-tokens.ts';
import { createUser } from '../../accounts/users.ts';
import type { RegionDeps } from '../../deps.ts';
import { createDoor } from '../../lifecycle/door.ts';
import { type DatabaseAddress, openDatabase } from '../../store/database.ts';
import { createSealer } from '../../store/sealer.ts';
import { silentLog, type TestCluster } from '../../testing/cluster.ts';
import { registerMaasDialect } from '../register.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  text: string;
  /** The parsed body; fails when it is not JSON. */
  json(): unknown;
}

/** A person of the test with an API key; calls are signed as the Go clients do. */
export interface Client {
  get(path: string): Promise<Answer>;
  post(path: string, form?: Record<string, string | string[]>): Promise<Answer>;
  put(path: string, form?: Record<string, string | string[]>): Promise<Answer>;
  /** As the CLI sends the pieces of an image. */
  putBytes(path: string, bytes: Buffer): Promise<Answer>;
  remove(path: string): Promise<Answer>;
  userId: number;
}

export interface Dialect {
  app: FastifyInstance;
  deps: RegionDeps;
  address: DatabaseAddress;
  /** A person who is known already, by key. */
  as(key: string, userId: number): Client;
  person(username: string, admin: boolean): Promise<Client>;
  anonymous: Client;
  close(): Promise<void>;
}

/** The dialect on a fresh database, with the real door; or on that of another, as a second region process would be. */
export async function startDialect(cluster: TestCluster, beside?: Dialect): Promise<Dialect> {
  const { address, ...database } = beside
    ? { address: beside.address, ...openDatabase(beside.address, { name: 'second' }) }
    : await cluster.database();
  const { db, pool } = database;
  const sealer = beside?.deps.sealer ?? createSealer(randomBytes(32));
  const deps: RegionDeps = {
    db,
    pool,
    sealer,
    door: createDoor({ db, sealer, decide, committed: () => undefined }),
    changes: {
      subscribe: () => () => undefined,
      since: async () => [],
      cursor: () => '0',
      announce: () => undefined,
    },
    blobs: {
      path: (sha256) => `${cluster.stateDir}/blobs/${sha256}`,
      has: async () => false,
      adopt: async () => {
        throw new Error('no blobs in this test');
      },
      remove: async () => undefined,
    },
    log: silentLog,
    process: 'test',
    stateDir: cluster.stateDir,
  };
  const app = fastify();
  await registerMaasDialect(app, deps);
  await app.ready();
  return {
    app,
    deps,
    address,
    as: (key, userId) => client(app, key, userId),
    async person(username, admin) {
      const user = await createUser(deps, { username, password: `${username}-password`, isAdmin: admin });
      return client(app, formatToken(await createToken(deps, user.id)), user.id);
    },
    anonymous: client(app, null, 0),
    async close() {
      await app.close();
      if (beside) await db.destroy();
    },
  };
}

function client(app: FastifyInstance, key: string | null, userId: number): Client {
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    form?: Record<string, string | string[]> | Buffer,
  ) => {
    const url = path.startsWith('/') ? path : `/MAAS/api/2.0/${path}`;
    const headers: Record<string, string> = key === null ? {} : { authorization: oauthHeader(key) };
    const bytes = Buffer.isBuffer(form);
    if (form !== undefined) {
      headers['content-type'] = bytes ? 'application/octet-stream' : 'application/x-www-form-urlencoded';
    }
    const payload = form === undefined || bytes ? form : encodeForm(form);
    const answer = await app.inject({ method, url, headers, payload });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      json: () => answer.json() as unknown,
    };
  };
  return {
    get: (path) => call('GET', path),
    post: (path, form = {}) => call('POST', path, form),
    put: (path, form = {}) => call('PUT', path, form),
    putBytes: (path, bytes) => call('PUT', path, bytes),
    remove: (path) => call('DELETE', path),
    userId,
  };
}

function encodeForm(form: Record<string, string | string[]>): string {
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((item): [string, string] => [name, item]),
  );
  return new URLSearchParams(pairs).toString();
}

export function oauthHeader(key: string, over: { timestamp?: number; nonce?: string } = {}): string {
  const [consumer = '', token = '', secret = ''] = key.split(':');
  const nonce = over.nonce ?? randomBytes(8).toString('hex');
  const timestamp = over.timestamp ?? Math.floor(Date.now() / 1000);
  return (
    `OAuth realm="MAAS+API", oauth_consumer_key="${consumer}", oauth_token="${token}", oauth_signature="%26${secret}", ` +
    `oauth_signature_method="PLAINTEXT", oauth_timestamp="${timestamp}", oauth_nonce="${nonce}", oauth_version="1.0"`
  );
}
