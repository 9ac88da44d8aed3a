import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { type Client, type Dialect, startDialect } from '../testing/dialect.ts';
import { addMachine, type Made, prepareSite } from '../testing/machines.ts';
import { bodyAfterGrant } from './granted-body.ts';

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
let site: { subnetId: number; vlanId: number };
beforeAll(async () => {
  cluster = await startTestCluster();
  dialect = await startDialect(cluster);
  admin = await dialect.person('admin', true);
  site = await prepareSite(dialect.deps);
});
afterAll(async () => {
  await dialect?.close();
  await cluster?.close();
});

/** A Ready machine with much to show, its body stored. */
async function readyMachine(hostname: string): Promise<Made> {
  const { db } = dialect.deps;
  const made = await addMachine(dialect.deps, site, { hostname });
  const awkward = 'a "quoted"\nline,\n    "status": 4,\n and \\ more';
  await db
    .updateTable('machines')
    .set({ status: 'READY', description: awkward, error_description: awkward, hwe_kernel: 'ga-6.1' })
    .where('id', '=', made.id)
    .execute();
  await sql`
    WITH part AS (INSERT INTO partitions (device_id, index, uuid, size)
      SELECT id, 1, 'u', 1000000 FROM block_devices WHERE machine_id = ${made.id} RETURNING id)
    INSERT INTO filesystems (partition_id, fstype, uuid, mount_point) SELECT id, 'ext4', 'v', '/' FROM part`.execute(
    db,
  );
  await sql`
    INSERT INTO events (machine_id, system_id, type, level, description)
    VALUES (${made.id}, ${made.systemId}, 'READY', 20, ${awkward})`.execute(db);
  await sql`INSERT INTO owner_data (machine_id, key, value) VALUES (${made.id}, 'owner', '"owner": null')`.execute(db);
  await sql`INSERT INTO changes (kind, key) VALUES ('machine', ${made.systemId})`.execute(db);
  await admin.get(`machines/${made.systemId}/`);
  return made;
}

async function take(systemId: string): Promise<void> {
  const taken = await dialect.deps.door.apply(systemId, {
    type: 'allocate',
    actor: { kind: 'user', id: admin.userId, name: 'admin', admin: true },
  });
  if (!taken.ok) throw new Error(JSON.stringify(taken.refused));
}

async function marksOf({ id }: Made): Promise<number> {
  return (await dialect.deps.db.selectFrom('body_dirty').select('id').where('machine_id', '=', id).execute()).length;
}

test('the answer to a grant is the stored body with what the grant changed: as rendered, without being rendered', async () => {
  const made = await readyMachine('plain');
  await take(made.systemId);
  const answered = await bodyAfterGrant(dialect.deps.db, made.id);
  // The mark is left to the next reader, who renders.
  expect(await marksOf(made)).toBe(1);
  const rendered = (await admin.get(`machines/${made.systemId}/`)).text;
  expect(await marksOf(made)).toBe(0);
  expect(answered).toBe(rendered);
  expect(JSON.parse(rendered)).toMatchObject({ owner: 'admin', status_name: 'Allocated' });
  expect(JSON.parse(rendered).status_message).toContain('a "quoted"');
});

test('what else was changed since the body was stored is in the answer: before the grant and after it', async () => {
  for (const when of ['before', 'after']) {
    const made = await readyMachine(`changed-${when}`);
    if (when === 'after') await take(made.systemId);
    const description = `changed ${when} the grant`;
    expect((await admin.put(`machines/${made.systemId}/`, { description })).status).toBe(200);
    // The writer's answer rendered the body: this change is one that nobody has read.
    await sql`
      WITH other AS (UPDATE machines SET swap_size = 77 WHERE id = ${made.id})
      INSERT INTO body_dirty (machine_id) VALUES (${made.id})`.execute(dialect.deps.db);
    if (when === 'before') await take(made.systemId);
    const answered = await bodyAfterGrant(dialect.deps.db, made.id);
    expect(JSON.parse(answered ?? 'null')).toMatchObject({ description, swap_size: 77, status_name: 'Allocated' });
    expect((await admin.get(`machines/${made.systemId}/`)).text).toBe(answered);
  }
});

test('a machine with copies of filesystems shows those once it is allocated', async () => {
  const made = await readyMachine('copies');
  await sql`
    INSERT INTO filesystems (partition_id, fstype, uuid, mount_point, acquired)
    SELECT p.id, 'xfs', 'w', '/', true FROM partitions p JOIN block_devices b ON b.id = p.device_id
    WHERE b.machine_id = ${made.id}`.execute(dialect.deps.db);
  await take(made.systemId);
  const answered = await bodyAfterGrant(dialect.deps.db, made.id);
  expect(answered).toContain('"fstype": "xfs"');
  expect((await admin.get(`machines/${made.systemId}/`)).text).toBe(answered);
});

test('a machine that nobody has read yet has its body rendered, and one that is not there has none', async () => {
  const made = await addMachine(dialect.deps, site, { hostname: 'unread' });
  await dialect.deps.db.updateTable('machines').set({ status: 'READY' }).where('id', '=', made.id).execute();
  await take(made.systemId);
  const answered = await bodyAfterGrant(dialect.deps.db, made.id);
  expect(JSON.parse(answered ?? 'null')).toMatchObject({ hostname: 'unread', status_name: 'Allocated' });
  expect(await bodyAfterGrant(dialect.deps.db, 999_999)).toBeNull();
});
