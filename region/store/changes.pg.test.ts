import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Change } from '../deps.ts';
import { silentLog, startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { startChangeFeed } from './changes.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

async function feedOf() {
  const database = await cluster.database();
  const feed = await startChangeFeed(database, database.address, silentLog);
  const seen: Change[] = [];
  feed.subscribe((changes) => seen.push(...changes));
  const write = (key: string) => database.db.insertInto('changes').values({ kind: 'machine', key }).execute();
  return { database, feed, seen, keys: () => seen.map((change) => change.key), write };
}

test('a transaction that began first and commits last is neither skipped nor delivered early', async () => {
  const { database, feed, keys, write } = await feedOf();
  const slow = await database.pool.connect();
  await slow.query('BEGIN');
  await slow.query("INSERT INTO changes (kind, key) VALUES ('machine', 'slow')");
  await write('fast');
  feed.announce();
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(keys()).toEqual([]);
  await slow.query('COMMIT');
  slow.release();
  feed.announce();
  await vi.waitFor(() => expect(keys()).toEqual(['slow', 'fast']), 3000);
  await feed.stop();
});

test('changes of another process come without its announcement, and since() gives what followed a cursor', async () => {
  const { feed, seen, keys, write } = await feedOf();
  await write('one');
  await write('two');
  await vi.waitFor(() => expect(keys()).toEqual(['one', 'two']), 3000);
  const after = await feed.since(seen[0]?.cursor ?? '');
  expect(after?.map((change) => change.key)).toEqual(['two']);
  expect(await feed.since(feed.cursor())).toEqual([]);
  expect(await feed.since('nonsense')).toBeNull();
  await feed.stop();
});

test('a cursor from before the oldest kept change is refused', async () => {
  const { database, feed, keys, write } = await feedOf();
  const old = '(1,1)';
  await write('kept');
  await vi.waitFor(() => expect(keys()).toEqual(['kept']), 3000);
  await database.db.deleteFrom('changes').execute();
  expect(await feed.since(old)).toBeNull();
  await feed.stop();
});
