import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unpackSquashfs } from './squashfs.ts';

/** Owners are kept only as root. */
test.runIf(process.getuid?.() === 0)(
  'a squashfs is checked before it is unpacked, and leaves no trace of itself',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ingot-squashfs-'));
    const target = join(directory, 'target');
    mkdirSync(join(directory, 'tree/etc'), { recursive: true });
    mkdirSync(target);
    writeFileSync(join(directory, 'tree/etc/fstab'), 'the image\n', { mode: 0o640 });
    execFileSync('chown', ['-R', '12:34', join(directory, 'tree')]);
    const file = join(directory, 'image');
    execFileSync('mksquashfs', [join(directory, 'tree'), file, '-quiet', '-no-progress', '-processors', '1'], {
      stdio: 'pipe',
    });
    const image = readFileSync(file);
    let served = Buffer.from(image);
    served[100] = (served[100] ?? 0) ^ 1;
    const server = createServer((_incoming, answer) => answer.end(served));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // A listening TCP server has no other kind of address.
    const unpack = () =>
      unpackSquashfs({
        ...{ url: `http://127.0.0.1:${port}/image`, size: image.length, target },
        sha256: createHash('sha256').update(image).digest('hex'),
        sumFile: join(directory, 'sum'),
        onProgress: () => undefined,
        log: () => undefined,
      });
    try {
      expect(await unpack()).toMatchObject({ ok: false, code: 'install.image_mismatch' });
      expect(existsSync(join(target, 'etc'))).toBe(false);
      served = image;
      expect(await unpack()).toEqual({ ok: true });
      expect(readFileSync(join(target, 'etc/fstab'), 'utf8')).toBe('the image\n');
      const { uid, gid, mode } = statSync(join(target, 'etc/fstab'));
      expect([uid, gid, mode & 0o777]).toEqual([12, 34, 0o640]);
      expect(existsSync(join(target, '.ingot-image.squashfs'))).toBe(false);
    } finally {
      server.closeAllConnections();
      server.close();
      rmSync(directory, { recursive: true });
    }
  },
);
