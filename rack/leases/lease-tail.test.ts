import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { followLeases, type LeaseTail } from './lease-tail.ts';

// Header and row form of Kea 2.2.0.
const header =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n';
const row = (n: number, changes: { lifetime?: number; state?: number } = {}) =>
  `10.77.0.${n},02:00:00:00:00:0${n},,${changes.lifetime ?? 3600},4102444800,1,0,0,node${n}.,${changes.state ?? 0},,0\n`;

let dir: string;
let tail: LeaseTail | null = null;
let seen: string[];
const follow = async () => {
  seen = [];
  tail = await followLeases(join(dir, 'leases4.csv'), (lease, fresh) => {
    seen.push(`${fresh ? 'new' : 'old'} ${lease.ip} ${lease.mac} ${lease.hostname} ${lease.valid}`);
  });
  return tail;
};
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leases-'));
});
afterEach(async () => {
  await tail?.stop();
  await rm(dir, { recursive: true });
});

it('tells old rows from new ones and reads a row only when its line is complete', async () => {
  const file = join(dir, 'leases4.csv');
  await writeFile(file, header + row(1));
  const { poll } = await follow();
  expect(seen).toEqual(['old 10.77.0.1 02:00:00:00:00:01 node1 true']);
  const text = row(2);
  await appendFile(file, text.slice(0, 20));
  await poll();
  await appendFile(file, text.slice(20));
  await poll();
  await appendFile(file, row(2, { lifetime: 0 }) + row(3, { state: 1 }));
  await poll();
  expect(seen.slice(1)).toEqual([
    'new 10.77.0.2 02:00:00:00:00:02 node2 true',
    'new 10.77.0.2 02:00:00:00:00:02 node2 false',
    'new 10.77.0.3 02:00:00:00:00:03 node3 false',
  ]);
});

/**
 * @fault Kea replaces its lease file while the rack reads it.
 * @sees Nothing.
 * @ends No lease is lost.
 */
it('loses no row when Kea cleans up its file', async () => {
  const file = join(dir, 'leases4.csv');
  await writeFile(`${file}.2`, header + row(7));
  await writeFile(file, header + row(1));
  const { poll } = await follow();
  await appendFile(file, row(2));
  await rename(file, `${file}.1`);
  await writeFile(file, header + row(3));
  await poll();
  expect(seen.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'old 10.77.0.7',
    'old 10.77.0.1',
    'new 10.77.0.2',
    'new 10.77.0.3',
  ]);
});

it('waits for a file that is not there yet, and notices it without being asked', async () => {
  await follow();
  await writeFile(join(dir, 'leases4.csv'), header + row(4));
  await expect.poll(() => seen, { timeout: 2000 }).toHaveLength(1);
});
