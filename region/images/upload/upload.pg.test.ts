import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UPLOAD_CHUNK, UploadView } from '@ingot/contract/image-upload.ts';
import { DeployPlanView } from '@ingot/contract/plan.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { startTestApi, type TestApi } from '../../testing/native-api.ts';
import { deployImage } from '../catalogue.ts';
import { sweepUploads } from '../start.ts';
import { type SampleFormat, sampleImage, sumOfBytes } from '../testing/sample-image.ts';
import { finishUpload } from './finish.ts';
import { beginUpload, putChunk } from './receive.ts';
import { UPLOAD_LIMITS } from './room.ts';

let cluster: TestCluster;
let api: TestApi;
let directory: string;

beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ingot-upload-'));
  api = await startTestApi(cluster);
});
afterEach(async () => {
  await api.close();
  rmSync(directory, { recursive: true });
});

interface Answered {
  status: number;
  body: unknown;
}

async function call(method: 'GET' | 'POST' | 'PUT', path: string, payload?: object | Buffer): Promise<Answered> {
  const bytes = Buffer.isBuffer(payload) ? { 'content-type': 'application/octet-stream' } : {};
  const headers = { authorization: `Bearer ${api.keys.admin}`, ...bytes };
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers, payload });
  return { status: answer.statusCode, body: answer.json() as unknown };
}

const begin = (bytes: Buffer, format: string, name = 'custom/mine', more: object = {}) =>
  call('POST', '/images/uploads', {
    ...{ name, arch: 'amd64', format, sha256: sumOfBytes(bytes), size: bytes.length },
    ...more,
  });
const put = (id: number, offset: number, bytes: Buffer) => call('PUT', `/images/uploads/${id}?offset=${offset}`, bytes);

async function upload(bytes: Buffer, format: string, name?: string): Promise<UploadView> {
  const { id } = UploadView.parse((await begin(bytes, format, name)).body);
  for (let at = 0; at < bytes.length; at += UPLOAD_CHUNK) {
    expect((await put(id, at, bytes.subarray(at, at + UPLOAD_CHUNK))).status).toBe(200);
  }
  for (let tries = 0; ; tries += 1) {
    const view = UploadView.parse((await call('POST', `/images/uploads/${id}/finish`)).body);
    if (view.state !== 'checking' || tries > 30) return view;
  }
}

const wanted = (bytes: Buffer, release = 'mine') => ({
  ...{ os: 'custom', release, arch: 'amd64', subarch: 'generic', title: '', baseImage: '', keepOld: false },
  ...{ format: 'tgz' as const, sha256: sumOfBytes(bytes), size: bytes.length },
});

describe('uploads', () => {
  test.each<[SampleFormat, string, string]>([
    ['tgz', 'tgz', 'tree'],
    ['tar.zst', 'tar.zst', 'tree'],
    ['txz', 'tar.zst', 'tree'],
    ['squashfs', 'squashfs', 'tree'],
    ['raw', 'raw.zst', 'disk'],
    ['raw.zst', 'raw.zst', 'disk'],
    ['qcow2', 'raw.zst', 'disk'],
  ])('%s becomes an image of format %s, looked into', async (format, stored, shape) => {
    const view = await upload(sampleImage(directory, format), format);
    expect(view).toMatchObject({ state: 'ready', failure: null, name: 'custom/mine' });
    expect(view.content).toMatchObject({ shape, system: 'Sample OS 1', cloudInit: true, initrdMaker: true });
    expect(view.content?.boots.bios).toBe(true);
    if (shape === 'tree') expect(view.content?.kernels).toEqual(['6.1.0-9-amd64']);
    const root = { number: 1, filesystem: 'ext4', size: 13 * 2 ** 20, last: true };
    if (shape === 'disk') expect(view.content?.disk).toEqual({ size: 16 * 2 ** 20, table: 'gpt', root });
    const image = await deployImage(api.deps.db, { os: 'custom', release: 'mine', arch: 'amd64' });
    expect(image?.format).toBe(stored);
    const blob = readFileSync(api.deps.blobs.path(image?.sha256 ?? ''));
    expect(sumOfBytes(blob)).toBe(image?.sha256);
  });

  /**
   * @fault The connection breaks in the middle of an upload, and the answer to a chunk is lost
   * @sees The same command again goes on where it stopped; a chunk sent twice is taken
   * @ends The image is in the store with the sum that was announced
   */
  test('an upload goes on where it stopped, and the same bytes again need none', async () => {
    const bytes = sampleImage(directory, 'tgz');
    const half = bytes.length >> 1;
    const first = UploadView.parse((await begin(bytes, 'tgz')).body);
    await put(first.id, 0, bytes.subarray(0, half));
    expect((await begin(bytes, 'tgz')).body).toMatchObject({ id: first.id, state: 'receiving', received: half });
    expect((await put(first.id, 0, bytes.subarray(0, half))).body).toMatchObject({ received: half });
    const beyond = await put(first.id, half + 1, bytes.subarray(half + 1));
    expect([beyond.status, beyond.body]).toMatchObject([409, { code: 'image.wrong_offset' }]);
    await put(first.id, half, bytes.subarray(half));
    expect((await call('POST', `/images/uploads/${first.id}/finish`)).body).toMatchObject({ state: 'ready' });
    expect((await begin(bytes, 'tgz')).body).toMatchObject({ state: 'ready' });
  });

  /**
   * @fault An uploaded image was altered on its way, or is cut off
   * @sees image.sum_mismatch with both sums; for a whole file of a broken archive image.unreadable with the tool's words
   * @ends No image is listed and the bytes are gone; the same upload can begin anew
   */
  test('altered or cut off images are refused', async () => {
    const good = sampleImage(directory, 'tar.zst');
    const altered = Buffer.from(good);
    altered[60] = (altered[60] ?? 0) ^ 1;
    const { id } = UploadView.parse((await begin(good, 'tar.zst')).body);
    await put(id, 0, altered);
    const checked = await call('POST', `/images/uploads/${id}/finish`);
    expect(checked.body).toMatchObject({ state: 'failed', failure: { code: 'image.sum_mismatch' } });
    const late = await put(id, 0, good);
    expect([late.status, late.body]).toMatchObject([409, { code: 'image.upload_not_open' }]);
    const cut = await upload(good.subarray(0, good.length - 40), 'tar.zst');
    expect(cut).toMatchObject({ state: 'failed', failure: { code: 'image.unreadable' } });
    expect(await deployImage(api.deps.db, { os: 'custom', release: 'mine', arch: 'amd64' })).toBeNull();
    expect(await upload(good, 'tar.zst')).toMatchObject({ state: 'ready' });
  });

  test('a qcow2 that stands on another file of this host is not opened', async () => {
    const image = sampleImage(directory, 'qcow2');
    image.writeBigUInt64BE(4096n, 8);
    const view = await upload(image, 'qcow2');
    expect(view.failure?.message).toContain('stands on another file');
  });

  test('what cannot be taken is refused before a byte is sent', async () => {
    const bytes = Buffer.from('some bytes');
    const asked = [
      await begin(bytes, 'iso'),
      await begin(bytes, 'tgz', '../etc'),
      await begin(bytes, 'tgz', 'x', { size: UPLOAD_LIMITS.largest + 1 }),
    ];
    expect(asked.map(({ status, body }) => [status, body])).toMatchObject([
      [400, { code: 'image.unknown_format', field: 'format' }],
      [400, { code: 'image.bad_name' }],
      [400, { code: 'image.too_large' }],
    ]);
    const { id } = UploadView.parse((await begin(bytes, 'tgz')).body);
    const more = await put(id, 0, Buffer.alloc(bytes.length + 1));
    expect([more.status, more.body]).toMatchObject([400, { code: 'image.too_much_data' }]);
    const large = await put(id, 0, Buffer.alloc(4 * 2 ** 20 + 1));
    expect([large.status, large.body]).toMatchObject([413, { code: 'input.too_large' }]);
  });

  test('a disk image larger than any disk is refused by its header, not by filling the region', async () => {
    const bytes = sampleImage(directory, 'qcow2');
    const limits = { ...UPLOAD_LIMITS, largestDisk: 2 ** 20 };
    const { id } = await beginUpload(api.deps, { ...wanted(bytes), format: 'qcow2' }, limits);
    await putChunk(api.deps, id, 0, bytes, limits);
    expect((await finishUpload(api.deps, id, limits)).failure).toMatchObject({ code: 'image.too_large' });
  });

  test('an upload nobody went on with for a day is forgotten', async () => {
    const bytes = Buffer.alloc(100, 1);
    const { id } = await beginUpload(api.deps, wanted(bytes));
    await putChunk(api.deps, id, 0, bytes.subarray(0, 50));
    expect(await sweepUploads(api.deps)).toBe(0);
    await api.deps.db
      .updateTable('image_uploads')
      .set({ touched: new Date(Date.now() - 25 * 3_600_000) })
      .execute();
    expect(await sweepUploads(api.deps)).toBe(1);
    expect((await call('GET', `/images/uploads/${id}`)).status).toBe(404);
  });

  test('a newer upload of the same image takes the place of the older', async () => {
    const [one, two] = [sampleImage(directory, 'tgz'), sampleImage(directory, 'tar.zst')];
    await upload(one, 'tgz');
    const second = await upload(two, 'tar.zst');
    const { body } = await call('GET', '/images');
    expect(body).toMatchObject([{ id: second.imageId, name: 'custom/mine', content: { shape: 'tree' } }]);
  });
});

describe('plan before deploy', () => {
  test('says what will happen, and refuses what the image lacks before anything is touched', async () => {
    await upload(sampleImage(directory, 'tgz', /cloud-init|vmlinuz/), 'tgz');
    const systemId = await api.machine({ hostname: 'box' });
    const { status, body } = await call('POST', `/machines/${systemId}/deploy/plan`, { image: 'custom/mine' });
    const plan = DeployPlanView.parse(body);
    expect([status, plan.possible, plan.image]).toEqual([200, false, 'custom/mine']);
    const codes = plan.findings.map(({ code }) => code);
    expect(codes).toContain('image.no_kernel');
    expect(codes).toContain('image.no_cloud_init');
    expect(plan.steps.map(({ text }) => text)).toContain('Everything on disk sda (8 GiB) is lost.');
    expect(await call('GET', `/machines/${systemId}/deploy/plan?image=mine`)).toMatchObject({
      body: { possible: false },
    });
  });

  test('for a machine that nobody owns, the keys of who asks count: it becomes theirs', async () => {
    await upload(sampleImage(directory, 'tgz'), 'tgz');
    const systemId = await api.machine({ hostname: 'box' });
    const codes = async () => {
      const { body } = await call('POST', `/machines/${systemId}/deploy/plan`, { image: 'custom/mine' });
      return DeployPlanView.parse(body).findings.map(({ code }) => code);
    };
    expect(await codes()).toContain('user.no_ssh_key');
    const { id } = await api.deps.db
      .selectFrom('users')
      .select('id')
      .where('username', '=', 'admin')
      .executeTakeFirstOrThrow();
    await api.deps.db.insertInto('ssh_keys').values({ user_id: id, key: 'ssh-ed25519 AAAA' }).execute();
    expect(await codes()).not.toContain('user.no_ssh_key');
  });

  /**
   * @fault A disk image is larger than the disk of the machine it is to be deployed on
   * @sees install.disk_too_small with both sizes, in the plan and as the answer to the deployment
   * @ends The machine stays Ready: nothing was switched on or written
   */
  test('the deployment itself refuses what cannot fit', async () => {
    await upload(sampleImage(directory, 'raw'), 'raw');
    const systemId = await api.machine({ hostname: 'box' });
    await api.deps.db
      .updateTable('block_devices')
      .set({ size: 8 * 2 ** 20 })
      .execute();
    const db = api.deps.db;
    const row = await db
      .selectFrom('machines')
      .select('id')
      .where('system_id', '=', systemId)
      .executeTakeFirstOrThrow();
    const nic = await db.selectFrom('interfaces').select('id').executeTakeFirstOrThrow();
    await db.insertInto('interface_links').values({ interface_id: nic.id, mode: 'dhcp' }).execute();
    await db.insertInto('racks').values({ system_id: 'r', name: 'r', public_key: '' }).execute();
    await db.insertInto('rack_links').values({ rack_id: 'r', process: 'p', epoch: 1 }).execute();
    await db
      .insertInto('images')
      .values({ purpose: 'ephemeral', os: 'i', release: 'e', arch: 'amd64', version: '1' })
      .execute();
    const answer = await call('POST', `/machines/${systemId}/actions/deploy`, { image: 'custom/mine' });
    expect(answer.body).toMatchObject({ code: 'install.disk_too_small' });
    const after = await db
      .selectFrom('machines')
      .select(['status', 'power_want'])
      .where('id', '=', row.id)
      .executeTakeFirst();
    expect(after).toEqual({ status: 'READY', power_want: null });
  });
});
