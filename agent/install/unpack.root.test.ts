import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { unpackImage } from './unpack.ts';

/** tar keeps owners only as root. */
describe.runIf(process.getuid?.() === 0)('unpacking an image', () => {
  let directory = '';
  let archive = Buffer.alloc(0);
  let server: Server;
  let url = '';
  /** Break the connection after this many bytes, once per entry. */
  let breaks: number[] = [];
  let offsets: string[] = [];
  let tamper = false;
  /** Bytes of the image that the rack has. */
  let there = Infinity;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ingot-unpack-'));
    mkdirSync(join(directory, 'tree/etc'), { recursive: true });
    mkdirSync(join(directory, 'target'));
    writeFileSync(join(directory, 'tree/etc/noise'), randomBytes(1_000_000));
    execFileSync('tar', ['-C', join(directory, 'tree'), '--zstd', '-cf', join(directory, 'a.tar.zst'), '.']);
    archive = readFileSync(join(directory, 'a.tar.zst'));
    breaks = [];
    offsets = [];
    tamper = false;
    there = Infinity;
    server = createServer((incoming, answer) => {
      const start = Number(/bytes=(\d+)-/.exec(incoming.headers.range ?? '')?.[1] ?? 0);
      offsets.push(incoming.headers.range ?? '');
      if (start >= there) return answer.writeHead(416).end();
      const body = Buffer.from(archive.subarray(start, there));
      if (tamper) body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
      const range = { 'content-range': `bytes ${start}-${archive.length - 1}/${archive.length}` };
      answer.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length, ...(start > 0 ? range : {}) });
      const cut = breaks.shift();
      if (cut === undefined) return answer.end(body);
      answer.write(body.subarray(0, cut), () => setTimeout(() => answer.destroy(), 50));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // A listening TCP server has no other kind of address.
    url = `http://127.0.0.1:${port}/image`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });

  const unpack = (progress: number[] = []) =>
    unpackImage({
      url,
      sha256: createHash('sha256').update(archive).digest('hex'),
      size: archive.length,
      format: 'tar.zst',
      target: join(directory, 'target'),
      sumFile: join(directory, 'sum'),
      onProgress: (bytes) => progress.push(bytes),
      log: () => undefined,
    });

  /**
   * @fault The transfer of an image to a machine breaks.
   * @sees A longer image step.
   * @ends It goes on where it stopped.
   */
  test('a transfer that breaks twice goes on where it stopped', async () => {
    breaks = [100_000, 50_000];
    const progress: number[] = [];
    expect(await unpack(progress)).toEqual({ ok: true });
    expect(offsets).toEqual(['', 'bytes=100000-', 'bytes=150000-']);
    expect(progress.at(-1)).toBe(archive.length);
    const [before, after] = ['tree', 'target'].map((name) => readFileSync(join(directory, name, 'etc/noise')));
    expect(before !== undefined && after?.equals(before)).toBe(true);
  });

  /**
   * @fault The image that a machine reads is truncated or altered.
   * @sees Failed deployment with install.image_mismatch.
   * @ends Nothing of it is booted; the machine is switched off and can be deployed again.
   */
  test('a damaged image is named as such, whether or not the decompressor noticed', async () => {
    tamper = true;
    expect(await unpack()).toMatchObject({ ok: false, code: 'install.image_mismatch' });
    expect(offsets).toHaveLength(2);
  });

  test('an image that ends early is named as such at once, not waited for', async () => {
    there = archive.length >> 1;
    expect(await unpack()).toMatchObject({ ok: false, code: 'install.image_mismatch' });
    expect(offsets).toEqual(['', `bytes=${there}-`, '']);
  });

  test('an archive that does not unpack is a failed step, not a damaged image', async () => {
    archive = Buffer.from('this is no archive');
    expect(await unpack()).toMatchObject({ ok: false, code: 'install.step_failed' });
  });
});
