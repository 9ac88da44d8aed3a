import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LeaseRow } from './lease-file.ts';
import { openLeases } from './leases.ts';

const header = 'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n';
const row = (ip: string, mac: string, lifetime = 3600, expire = 4_102_444_800) =>
  `${ip},${mac},,${lifetime},${expire},7,0,0,,0\n`;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leases-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

it("reads a foreign server's lease the moment it stands in its file, and forgets one that ended", async () => {
  const file = join(dir, 'kea-leases4.csv');
  await writeFile(file, header);
  const fresh: LeaseRow[] = [];
  const leases = await openLeases({ file, controlSocket: null, onLease: (lease) => fresh.push(lease) });
  try {
    expect(await leases.macOf('127.64.128.9')).toBeNull();
    await appendFile(file, row('127.64.128.9', '02:00:00:00:00:09'));
    // No pause: as a machine asks that was just given its address.
    expect(await leases.macOf('127.64.128.9')).toBe('02:00:00:00:00:09');
    expect(fresh).toMatchObject([{ ip: '127.64.128.9', subnetId: 7 }]);
    await appendFile(file, row('127.64.128.9', '02:00:00:00:00:09', 0));
    await appendFile(file, row('127.64.128.10', '02:00:00:00:00:0a', 3600, 1));
    expect(await leases.macOf('127.64.128.10')).toBeNull();
    expect(await leases.macOf('127.64.128.9')).toBeNull();
  } finally {
    await leases.stop();
  }
});
