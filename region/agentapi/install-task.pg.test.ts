import type { ImageContent } from '@ingot/core/plan/image-content.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { installTask } from './install-task.ts';
import { machineForAgent } from './machine-rows.ts';

const GB = 1_000_000_000;
let cluster: TestCluster;
let region: TestRegion;

beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  region = await testRegion(cluster);
  return () => region.close();
});

/** A machine with a disk of 10 GB that is being deployed with a disk image of this size. */
async function deploying(imageSize: number) {
  const { deps, admin } = region;
  await region.rack();
  await region.ephemeralImage();
  const machine = await region.machine();
  const { db } = deps;
  await db.updateTable('machines').set({ status: 'READY' }).execute();
  const nic = await db.selectFrom('interfaces').select('id').executeTakeFirstOrThrow();
  await db.insertInto('interface_links').values({ interface_id: nic.id, mode: 'dhcp' }).execute();
  const content: ImageContent = {
    ...{ shape: 'disk', system: null, kernels: null, initrdMaker: true, cloudInit: true },
    boots: { bios: true, uefi: true },
    disk: { size: imageSize, table: 'gpt', root: { number: 3, filesystem: 'ext4', size: 1000, last: true } },
  };
  const { id } = await db
    .insertInto('images')
    .values({
      purpose: 'deploy',
      os: 'custom',
      release: 'x',
      arch: 'amd64',
      version: '1',
      content: JSON.stringify(content),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const file = { image_id: id, filetype: 'root-raw.zst', sha256: 'ab'.repeat(32), size: 500 };
  await db.insertInto('image_files').values(file).execute();
  const image = { osystem: 'custom', distroSeries: 'x', imageAvailable: true };
  const applied = await deps.door.apply(machine.systemId, { type: 'deploy', actor: admin, ...image });
  expect(applied).toMatchObject({ ok: true });
  return machineForAgent(db, machine.systemId);
}

describe('a disk image', () => {
  test('the agent is told what it will find on the disk, and makes no partitions', async () => {
    const machine = await deploying(2 * GB);
    const task = machine && (await installTask(region.deps, machine, 'bios', 'http://10.0.0.1:5248'));
    expect(task).toMatchObject({
      kind: 'install',
      plan: {
        partitions: [],
        image: { format: 'raw.zst', disk: { size: 2 * GB, table: 'gpt', root: { number: 3, filesystem: 'ext4' } } },
      },
    });
  });

  test('a disk that was exchanged for a smaller one after the deployment was begun is refused to the agent', async () => {
    const machine = await deploying(9 * GB);
    await region.deps.db
      .updateTable('block_devices')
      .set({ size: 8 * GB })
      .execute();
    const task = machine && (await installTask(region.deps, machine, 'bios', 'http://10.0.0.1:5248'));
    expect(task).toMatchObject({ kind: 'refused', failure: { code: 'install.disk_too_small' } });
  });
});
