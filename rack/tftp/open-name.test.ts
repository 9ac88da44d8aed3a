import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TftpFile } from '@ingot/protocols/tftp/transfer.ts';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEvidenceQueue } from '../evidence/evidence.ts';
import type { BootPlane } from '../httpboot/boot-plane.ts';
import { loadIdentity } from '../identity/identity.ts';
import { snapshotOf } from '../testing/snapshot.ts';
import { openName } from './open-name.ts';

const bytes = randomBytes(700_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const away = 'f'.repeat(64);
const mac = '02:00:00:00:00:01';
const remote = { address: '10.0.0.100', port: 1000 };
let dir: string;
let plane: BootPlane;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tftp-name-'));
  await writeFile(join(dir, 'blob'), bytes);
  const unused = () => Promise.reject(new Error('not asked here'));
  plane = {
    identity: await loadIdentity(join(dir, 'identity')),
    snapshot: {
      current: () => snapshotOf('10.0.0', { sha256, size: bytes.length }),
      machineOf: () => null,
      replace: unused,
      change: () => undefined,
      newLink: unused,
      flush: unused,
    },
    macOf: async (ip) => (ip === remote.address ? mac : null),
    cache: {
      get: async (sum) => {
        if (sum === away) return { kind: 'unavailable', why: 'the region is away' };
        return sum === sha256 ? { kind: 'file', path: join(dir, 'blob'), size: bytes.length } : { kind: 'missing' };
      },
      pin: () => undefined,
      bytes: () => 0,
      close: unused,
    },
    files: { find: (path) => (path.endsWith('shimx64.efi') ? Buffer.from('shim') : null), missing: [] },
    region: { get: unused, forward: unused },
    evidence: createEvidenceQueue(),
    pin: 'd'.repeat(64),
    ports: { http: 5248, https: 5249, tftp: 69 },
    log: pino({ level: 'silent' }),
  };
});
afterAll(async () => await rm(dir, { recursive: true }));

const opened = (name: string, from = remote) => openName(plane, '10.0.0.1', name, from);
async function textOf(file: TftpFile | null): Promise<string> {
  return file ? (await file.read(0, file.size)).toString() : '';
}

it('gives programs, GRUB’s configuration and nothing else by other names', async () => {
  expect(await textOf(await opened('\\efi\\\\shimx64.efi'))).toBe('shim');
  expect(await textOf(await opened('/grub/grub.cfg'))).toContain('source /ingot/$net_default_mac/boot.cfg');
  for (const name of ['grub/x86_64-efi/grub.cfg', `blobs/sha256/${'e'.repeat(64)}`, 'ingot/../identity', '../blob']) {
    expect(await opened(name)).toBeNull();
  }
  await expect(opened(`/blobs/sha256/${away}`)).rejects.toThrow('the region is away');
});

it('renders the machine’s part for the card that holds the asking address, whatever the name claims', async () => {
  for (const name of [`/ingot/${mac}/boot.cfg`, 'ingot/52:54:00:99:99:99/boot.cfg', 'ingot//boot.cfg']) {
    const text = await textOf(await opened(name));
    expect(text).toContain(`if linux /blobs/sha256/${sha256} 'ingot.rack=http://10.0.0.1:5248'`);
    expect(text).toContain("'BOOTIF=01-02-00-00-00-00-01'");
  }
  expect(await textOf(await opened(`ingot/${mac}/boot.cfg`, { ...remote, address: '10.0.0.101' }))).toMatch(/^echo /);
});

it('reads an image’s file block by block, forwards and again', async () => {
  const file = await opened(`blobs/sha256/${sha256}`);
  if (file === null) throw new Error('not opened');
  const parts: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; offset += 1024) {
    parts.push(Buffer.from(await file.read(offset, Math.min(1024, bytes.length - offset))));
  }
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  expect(Buffer.from(await file.read(1024, 1024)).equals(bytes.subarray(1024, 2048))).toBe(true);
  file.close?.();
});
