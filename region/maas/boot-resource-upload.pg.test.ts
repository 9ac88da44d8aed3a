import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { openBlobStore } from '../images/blobs.ts';
import { deployImage } from '../images/catalogue.ts';
import { sampleImage, sumOfBytes } from '../images/testing/sample-image.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type Client, type Dialect, startDialect } from './testing/dialect.ts';

const CHUNK = 4 * 2 ** 20;
const File = z.object({
  complete: z.boolean(),
  sha256: z.string(),
  filetype: z.string(),
  upload_uri: z.string().optional(),
});
const Resource = z.object({
  ...{
    id: z.number(),
    type: z.string(),
    name: z.string(),
    architecture: z.string(),
    base_image: z.string().optional(),
  },
  sets: z.record(z.string(), z.object({ complete: z.boolean(), label: z.string(), files: z.record(z.string(), File) })),
});

let cluster: TestCluster;
let dialect: Dialect;
let admin: Client;
let dir: string;

beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ingot-boot-resource-'));
  dialect = await startDialect(cluster);
  Object.assign(dialect.deps, { stateDir: dir, blobs: openBlobStore(join(dir, 'blobs')) });
  admin = await dialect.person('admin', true);
  return async () => {
    await dialect.close();
    rmSync(dir, { recursive: true });
  };
});

const form = (bytes: Buffer, more: Record<string, string> = {}) => ({
  ...{ name: 'custom/mine', architecture: 'amd64/generic', sha256: sumOfBytes(bytes), size: String(bytes.length) },
  ...{ title: 'Mine', base_image: 'ubuntu/jammy', ...more },
});

/** What `boot-resources create` of the CLI does with the answer: newest set, its one file. */
function onlyFile(resource: z.infer<typeof Resource>): z.infer<typeof File> {
  const newest = Object.keys(resource.sets).sort().reverse()[0] ?? '';
  const files = Object.values(resource.sets[newest]?.files ?? {});
  expect(files).toHaveLength(1);
  return File.parse(files[0]);
}

async function create(bytes: Buffer, more?: Record<string, string>) {
  const answer = await admin.post('boot-resources/', form(bytes, more));
  expect([answer.status, answer.text.slice(0, 200)]).toMatchObject([201, expect.anything()]);
  return Resource.parse(answer.json());
}

describe('boot-resources create as clients do it', () => {
  test.each([
    ['tgz', 'tgz', 'root-tgz', 'tgz'],
    ['txz', 'txz', 'root-txz', 'tar.zst'],
    ['raw', 'ddraw', 'root-dd.raw', 'raw.zst'],
  ] as const)(
    '%s in pieces of 4 MiB; each is answered 200, after the last it can be deployed',
    async (format, word, shown, kept) => {
      const bytes = sampleImage(dir, format);
      const made = await create(bytes, { filetype: word });
      const file = onlyFile(made);
      expect(file).toMatchObject({ complete: false, filetype: shown });
      for (let at = 0; at < bytes.length; at += CHUNK) {
        const answer = await admin.putBytes(file.upload_uri ?? '', bytes.subarray(at, at + CHUNK));
        expect([answer.status, answer.text]).toEqual([200, 'OK']);
      }
      const read = Resource.parse((await admin.get(`boot-resources/${made.id}/`)).json());
      expect(read).toMatchObject({ type: 'Uploaded', name: 'mine', base_image: 'ubuntu/jammy' });
      expect(Object.keys(read.sets)[0]).toMatch(/^\d{8}$/);
      expect(onlyFile(read)).toMatchObject({ complete: true, filetype: shown, sha256: sumOfBytes(bytes) });
      expect((await deployImage(dialect.deps.db, { os: 'custom', release: 'mine', arch: 'amd64' }))?.format).toBe(kept);
      // The same file again: nothing is to be sent.
      expect(onlyFile(await create(bytes, { filetype: word })).complete).toBe(true);
      expect((await admin.get('boot-resources/?type=uploaded')).json()).toMatchObject([{ id: made.id }]);
      expect((await admin.remove(`boot-resources/${made.id}/`)).status).toBe(204);
      expect((await admin.get(`boot-resources/${made.id}/`)).status).toBe(404);
    },
  );

  test('wrong bytes and too many bytes are 400', async () => {
    const bytes = sampleImage(dir, 'tgz');
    const uri = onlyFile(await create(bytes)).upload_uri ?? '';
    expect((await admin.putBytes(uri, Buffer.concat([bytes, bytes]))).status).toBe(400);
    const wrong = await admin.putBytes(uri, Buffer.alloc(bytes.length));
    expect([wrong.status, wrong.text]).toMatchObject([400, expect.stringContaining('have sum')]);
  });

  test('only administrators; names of systems are reserved; what is missing is said by field', async () => {
    const ada = await dialect.person('ada', false);
    const bytes = Buffer.from('x');
    expect((await ada.post('boot-resources/', form(bytes))).status).toBe(403);
    const asked: Record<string, string>[] = [
      { name: 'ubuntu' },
      { name: 'centos70' },
      { name: 'beos/5' },
      { sha256: 'x' },
      { filetype: 'iso' },
    ];
    for (const more of asked) {
      const answer = await admin.post('boot-resources/', form(bytes, more));
      expect([answer.status, Object.keys(z.record(z.string(), z.unknown()).parse(answer.json()))]).toEqual([
        400,
        Object.keys(more),
      ]);
    }
    expect((await admin.post('boot-resources/', {})).json()).toMatchObject({ name: [expect.anything()] });
    expect((await admin.putBytes('boot-resources/1/upload/99/', bytes)).status).toBe(404);
  });
});
