import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { type TestRegion, testRegion } from '../../testing/region.ts';
import { deployImage } from '../catalogue.ts';
import { sampleTree, sumOfBytes } from '../testing/sample-image.ts';
import { finishUpload } from './finish.ts';
import { beginUpload, putChunk, uploadOfId } from './receive.ts';
import { UPLOAD_LIMITS } from './room.ts';

const MIB = 2 ** 20;
/** Room to write to the last byte: real ENOSPC, not our own foresight. */
const NO_RESERVE = { ...UPLOAD_LIMITS, reserve: -Infinity };

/** A file system of 12 MiB in memory as the region's blob store. */
describe.runIf(process.getuid?.() === 0)('the disk of the region is full', () => {
  let cluster: TestCluster;
  let region: TestRegion;
  let blobs = '';
  let directory = '';
  let image = Buffer.alloc(0);

  beforeAll(async () => {
    cluster = await startTestCluster();
    region = await testRegion(cluster);
    blobs = join(region.deps.stateDir, 'blobs');
    mkdirSync(blobs, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'ingot-test', blobs]);
    directory = mkdtempSync(join(tmpdir(), 'ingot-full-'));
    const tree = sampleTree(directory);
    writeFileSync(join(tree, 'noise'), randomBytes(5 * MIB));
    execFileSync('tar', ['-C', tree, '--xz', '-cf', join(directory, 'a.txz'), '.']);
    image = readFileSync(join(directory, 'a.txz'));
  });
  afterAll(async () => {
    execFileSync('umount', [blobs]);
    rmSync(directory, { recursive: true });
    await region.close();
    await cluster.close();
  });

  const wanted = () => ({
    ...{ os: 'custom', release: 'mine', arch: 'amd64', subarch: 'generic', title: '', baseImage: '', keepOld: false },
    ...{ format: 'txz' as const, sha256: sumOfBytes(image), size: image.length },
  });
  const fill = () => {
    const { bavail, bsize } = statfsSync(blobs);
    writeFileSync(join(blobs, 'others'), Buffer.alloc(Math.max(0, bavail * bsize - MIB)));
  };
  const makeRoom = () => rmSync(join(blobs, 'others'));

  /**
   * @fault The disk of the controller is full while an image is uploaded, and again while it is converted
   * @sees image.no_space with the directory (503), before the first byte, at the chunk that found no room, or after the last
   * @ends What was received is kept; when room is made the same upload goes on and the image can be deployed
   */
  test('nothing that was received is lost, and the same upload goes on when there is room', async () => {
    const { deps } = region;
    await expect(beginUpload(deps, wanted())).rejects.toMatchObject({ code: 'image.no_space', kind: 'exhausted' });
    const { id } = await beginUpload(deps, wanted(), NO_RESERVE);
    await putChunk(deps, id, 0, image.subarray(0, MIB), NO_RESERVE);
    fill();
    const rest = image.subarray(MIB);
    await expect(putChunk(deps, id, MIB, rest, NO_RESERVE)).rejects.toMatchObject({ code: 'image.no_space' });
    expect(await uploadOfId(deps, id)).toMatchObject({ state: 'receiving', received: MIB });
    makeRoom();
    expect(await beginUpload(deps, wanted(), NO_RESERVE)).toMatchObject({ id, received: MIB });
    await putChunk(deps, id, MIB, rest, NO_RESERVE);
    fill();
    const stuck = await finishUpload(deps, id, NO_RESERVE);
    expect(stuck).toMatchObject({ state: 'receiving', failure: { code: 'image.no_space' }, received: image.length });
    expect(await deployImage(deps.db, { os: 'custom', release: 'mine', arch: 'amd64' })).toBeNull();
    makeRoom();
    expect(await finishUpload(deps, id, NO_RESERVE)).toMatchObject({ state: 'ready', failure: null });
    const made = await deployImage(deps.db, { os: 'custom', release: 'mine', arch: 'amd64' });
    expect(sumOfBytes(readFileSync(deps.blobs.path(made?.sha256 ?? '')))).toBe(made?.sha256);
  });
});
