import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { openSnapshotStore } from '@ingot/rack/boot/snapshot-store.ts';
import { createEvidenceQueue } from '@ingot/rack/evidence/evidence.ts';
import { createRegionClient } from '@ingot/rack/forward/region-client.ts';
import type { BootPlane } from '@ingot/rack/httpboot/boot-plane.ts';
import { loadIdentity } from '@ingot/rack/identity/identity.ts';
import { openImageCache } from '@ingot/rack/imagecache/cache.ts';
import { openTransport } from '@ingot/rack/region/transport.ts';
import { pino } from 'pino';

/**
 * The rack's own boot plane over a folder, its region away: what is measured is what a rack runs. `DIR/cache` may hold
 * files under their SHA-256, which count as verified.
 */
export async function openBootPlane(dir: string, files: ReadonlyMap<string, Buffer>): Promise<BootPlane> {
  await mkdir(dir, { recursive: true });
  const log = pino({ level: 'warn' }, pino.destination(2));
  const identity = await loadIdentity(path.join(dir, 'identity'));
  const region = createRegionClient(openTransport({ kind: 'unix', path: path.join(dir, 'no-region') }), identity);
  return {
    identity,
    snapshot: await openSnapshotStore(path.join(dir, 'snapshot.json')),
    macOf: async () => null,
    cache: await openImageCache({ dir: path.join(dir, 'cache'), region, blobs: null, limitBytes: 1e12, log }),
    files: { find: (name) => files.get(name.replace(/^.*\//, '')) ?? null, missing: [] },
    region,
    evidence: createEvidenceQueue(),
    pin: '',
    ports: { http: 0, https: 0, tftp: 0 },
    log,
  };
}
