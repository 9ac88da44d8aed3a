import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createSealer, loadKey } from './sealer.ts';

test('opens what it sealed, for the row it was sealed for only', () => {
  const sealer = createSealer(randomBytes(32));
  const sealed = sealer.seal('secret', 'machine:1:power');
  expect(sealer.open(sealed, 'machine:1:power').toString()).toBe('secret');
  expect(sealed.includes('secret')).toBe(false);
  expect(() => sealer.open(sealed, 'machine:2:power')).toThrow();
  expect(() => createSealer(randomBytes(32)).open(sealed, 'machine:1:power')).toThrow();
  for (let at = 0; at < sealed.length; at += 1) {
    const altered = Buffer.from(sealed);
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(() => sealer.open(altered, 'machine:1:power')).toThrow();
  }
});

test('the key file is made once, for the owner alone, and refused when others can read it or it is missing', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'ingot-key-'));
  try {
    await expect(loadKey(dir, { create: false })).rejects.toThrow(/is missing/);
    const key = await loadKey(dir, { create: true });
    expect((await stat(path.join(dir, 'key'))).mode & 0o777).toBe(0o600);
    expect(await loadKey(dir, { create: true })).toEqual(key);
    await chmod(path.join(dir, 'key'), 0o644);
    await expect(loadKey(dir, { create: false })).rejects.toThrow(/chmod 600/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
