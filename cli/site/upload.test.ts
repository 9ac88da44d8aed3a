import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommandLine } from '../program.ts';
import { fakeContext } from '../testing/fake-context.ts';

const content = {
  ...{ shape: 'disk', system: 'Sample OS 1', kernels: null, initrdMaker: true, cloudInit: true },
  boots: { bios: true, uefi: false },
  disk: { size: 2 ** 30, table: 'gpt', root: { number: 1, filesystem: 'ext4', size: 2 ** 29, last: true } },
};
let dir: string;
let server: http.Server;
let received = Buffer.alloc(0);
let begun: Record<string, unknown> = {};
/** Chunks whose connection is cut: after the bytes were taken, so that only the answer is lost. */
let cuts = 0;
let finishes: object[] = [];

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'ingot-cli-upload-'));
  mkdirSync(path.join(dir, 'run'));
  [received, begun, cuts, finishes] = [Buffer.alloc(0), {}, 0, []];
  server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const url = new URL(request.url ?? '', 'http://region');
      if (request.method === 'POST' && url.pathname.endsWith('/uploads')) begun = JSON.parse(body.toString());
      if (request.method === 'PUT') {
        const offset = Number(url.searchParams.get('offset'));
        received = Buffer.concat([received.subarray(0, offset), body]);
        if (cuts > 0) {
          cuts -= 1;
          return request.socket.destroy();
        }
      }
      const view = { id: 7, name: 'custom/x', imageId: null, failure: null, content: null, size: begun.size };
      const finished = url.pathname.endsWith('/finish') ? finishes.shift() : {};
      const value = { ...view, state: 'receiving', received: received.length, ...finished };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    });
  });
  await new Promise<void>((resolve) => server.listen(path.join(dir, 'run', 'api.sock'), resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(dir, { recursive: true, force: true });
});

test('a file goes over in pieces, a lost answer costs one of them, and what is in the image is said', async () => {
  const bytes = randomBytes(9_000_000);
  const file = path.join(dir, 'disk.img.zst');
  writeFileSync(file, bytes);
  cuts = 1;
  finishes = [{ state: 'checking' }, { state: 'ready', imageId: 12, content }];
  const { context, out } = fakeContext(dir);
  expect(await runCommandLine(['images', 'upload', file, '--name', 'custom/x'], context)).toBe(0);
  expect(received.equals(bytes)).toBe(true);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  expect(begun).toEqual({ name: 'custom/x', arch: 'amd64', format: 'raw.zst', sha256, size: bytes.length, title: '' });
  expect(out()).toContain('custom/x can be deployed (image 12');
  expect(out()).toContain('boots      BIOS yes, UEFI no');
  expect(out()).toContain('root       partition 1, ext4');
});

test('a qcow2 is known by its first bytes, and why it is not taken is said with its code', async () => {
  const file = path.join(dir, 'cloud.img');
  writeFileSync(file, Buffer.concat([Buffer.from([0x51, 0x46, 0x49, 0xfb]), Buffer.alloc(600)]));
  const failure = {
    code: 'image.unreadable',
    message: 'The image is not a qcow2 that can be read: why.',
    fix: 'Make it anew.',
  };
  finishes = [{ state: 'failed', failure }];
  const upload = runCommandLine(['images', 'upload', file, '--name', 'x'], fakeContext(dir).context);
  await expect(upload).rejects.toMatchObject({ exitCode: 1, code: 'image.unreadable', fix: 'Make it anew.' });
  expect(begun.format).toBe('qcow2');
});

test('a name that tells no format asks for one', async () => {
  const file = path.join(dir, 'image');
  writeFileSync(file, 'x');
  const upload = runCommandLine(['images', 'upload', file, '--name', 'x'], fakeContext(dir).context);
  await expect(upload).rejects.toMatchObject({ exitCode: 2, fix: 'give --format, for example --format raw.zst' });
});
