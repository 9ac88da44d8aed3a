import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { decide } from '@ingot/core/machine/decide.ts';
import type { Actor } from '@ingot/core/machine/model.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { openBlobStore } from '../images/blobs.ts';
import { createDoor } from '../lifecycle/door.ts';
import { type CreatedMachine, createMachine } from '../machines/create.ts';
import { type RunningChangeFeed, startChangeFeed } from '../store/changes.ts';
import { createSealer } from '../store/sealer.ts';
import { silentLog, type TestCluster } from './cluster.ts';

export interface TestRegion {
  deps: RegionDeps & { changes: RunningChangeFeed };
  admin: Extract<Actor, { kind: 'user' }>;
  /** A machine in NEW with one card, one disk and an IPMI BMC. */
  machine(changes?: { hostname?: string; powerType?: string }): Promise<CreatedMachine>;
  /** A rack whose link is fresh. */
  rack(id?: string): Promise<string>;
  /** An ephemeral image for amd64, so that machines can be commissioned. */
  ephemeralImage(): Promise<void>;
  close(): Promise<void>;
}

let macs = 0;

/** The parts of a region over a fresh database of the cluster, without servers and without loops of its own. */
export async function testRegion(cluster: TestCluster, process = 'test-process'): Promise<TestRegion> {
  const database = await cluster.database();
  const { db, pool } = database;
  const changes = await startChangeFeed(database, database.address, silentLog);
  const sealer = createSealer(randomBytes(32));
  const stateDir = path.join(cluster.stateDir, `state-${database.name}`);
  await mkdir(stateDir, { recursive: true });
  const door = createDoor({ db, sealer, decide, committed: () => changes.announce() });
  const blobs = openBlobStore(path.join(stateDir, 'blobs'));
  const deps = { db, pool, sealer, blobs, door, changes, log: silentLog, process, stateDir };
  const { id } = await db
    .insertInto('users')
    .values({ username: 'admin', is_superuser: true })
    .returning('id')
    .executeTakeFirstOrThrow();
  return {
    deps,
    admin: { kind: 'user', id, name: 'admin', admin: true },
    async machine({ hostname, powerType = 'ipmi' } = {}) {
      macs += 1;
      const mac = `52:54:00:00:${[macs >> 8, macs & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
      const parameters: Record<string, string> =
        powerType === 'ipmi' ? { power_address: '127.0.0.1', power_user: 'maas', power_pass: 'secret' } : {};
      const power = { type: powerType, parameters };
      const machine = await createMachine(deps, {
        hostname,
        architecture: 'amd64/generic',
        macAddresses: [mac],
        power,
      });
      await db
        .insertInto('block_devices')
        .values({ machine_id: machine.id, name: 'sda', size: 10_000_000_000, serial: `disk-${macs}` })
        .execute();
      return machine;
    },
    async rack(rackId = 'rack01') {
      await db
        .insertInto('racks')
        .values({ system_id: rackId, name: rackId, public_key: '' })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await db
        .insertInto('rack_links')
        .values({ rack_id: rackId, process, epoch: 1 })
        .onConflict((conflict) => conflict.column('rack_id').doUpdateSet({ heartbeat: sql<Date>`now()` }))
        .execute();
      return rackId;
    },
    async ephemeralImage() {
      const { id: image_id } = await db
        .insertInto('images')
        .values({ purpose: 'ephemeral', os: 'ingot', release: 'ephemeral', arch: 'amd64', version: '1' })
        .returning('id')
        .executeTakeFirstOrThrow();
      const files = ['boot-kernel', 'boot-initrd', 'squashfs'].map((filetype, index) => ({
        image_id,
        filetype,
        sha256: String(index).repeat(64),
        size: 1000,
      }));
      await db.insertInto('image_files').values(files).execute();
    },
    close: () => changes.stop(),
  };
}
