import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { decide } from '@ingot/core/machine/decide.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { createToken, formatToken } from '../accounts/api-tokens.ts';
import { createUser } from '../accounts/users.ts';
import { registerNativeApi } from '../api/register.ts';
import type { RegionDeps } from '../deps.ts';
import { openBlobStore } from '../images/blobs.ts';
import { createDoor } from '../lifecycle/door.ts';
import { startChangeFeed } from '../store/changes.ts';
import { createSealer } from '../store/sealer.ts';
import { silentLog, type TestCluster } from './cluster.ts';

/** A region without its loops and racks, for the tests of the API: real database, door and change feed. */
export interface TestApi {
  app: FastifyInstance;
  deps: RegionDeps;
  /** API keys of an administrator and two others. */
  keys: { admin: string; ada: string; bob: string };
  ids: { admin: number; ada: number; bob: number };
  /** Makes a machine with an interface and a disk; returns its system_id. */
  machine(values: TestMachine): Promise<string>;
  close(): Promise<void>;
}

export interface TestMachine {
  hostname: string;
  status?: string;
  ownerId?: number;
  cpuCount?: number;
  memory?: number;
  locked?: boolean;
}

export async function startTestApi(cluster: TestCluster): Promise<TestApi> {
  const { db, pool, address } = await cluster.database();
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'ingot-api-'));
  const changes = await startChangeFeed({ db, pool }, address, silentLog);
  const sealer = createSealer(Buffer.alloc(32, 7));
  const door = createDoor({ db, sealer, decide, committed: () => changes.announce() });
  const blobs = openBlobStore(path.join(stateDir, 'blobs'));
  const deps: RegionDeps = { db, pool, sealer, blobs, door, changes, log: silentLog, process: 'test', stateDir };
  const app = Fastify({ logger: false });
  app.addHook('onRequest', async (request) => {
    if (request.headers['x-test-local'] === 'yes') request.localAdmin = true;
  });
  await registerNativeApi(app, deps);
  const make = async (username: string, isAdmin: boolean) => {
    const user = await createUser(deps, { username, password: `${username}-password`, isAdmin });
    return { id: user.id, key: formatToken(await createToken(deps, user.id)) };
  };
  const admin = await make('admin', true);
  const ada = await make('ada', false);
  const bob = await make('bob', false);
  let made = 0;
  return {
    app,
    deps,
    keys: { admin: admin.key, ada: ada.key, bob: bob.key },
    ids: { admin: admin.id, ada: ada.id, bob: bob.id },
    async machine(values) {
      made += 1;
      const systemId = `sys${String(made).padStart(3, '0')}`;
      const row = await db
        .insertInto('machines')
        .values({
          system_id: systemId,
          hostname: values.hostname,
          zone_id: 1,
          status: values.status ?? 'READY',
          owner_id: values.ownerId ?? null,
          locked: values.locked ?? false,
          architecture: 'amd64/generic',
          power_type: 'manual',
          cpu_count: values.cpuCount ?? 2,
          memory: values.memory ?? 2048,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      await db
        .insertInto('interfaces')
        .values({ machine_id: row.id, name: 'eth0', mac: `52:54:00:00:00:${String(made).padStart(2, '0')}` })
        .execute();
      await db
        .insertInto('block_devices')
        .values({ machine_id: row.id, name: 'sda', size: 8 * 2 ** 30 })
        .execute();
      return systemId;
    },
    async close() {
      await app.close();
      await changes.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
