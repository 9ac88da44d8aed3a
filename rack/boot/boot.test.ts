import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootEntry, Snapshot } from '@ingot/contract/rack.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decideBoot } from './decide-boot.ts';
import { ephemeralScript, kernelCommandLine, waitScript } from './ipxe-script.ts';
import { openSnapshotStore } from './snapshot-store.ts';

const blob = (letter: string) => ({ sha256: letter.repeat(64), size: 1000 });
const image = { architecture: 'amd64', kernel: blob('a'), initrd: blob('b'), squashfs: blob('c') };
const machine: BootEntry = {
  systemId: 'abc123',
  hostname: 'node1',
  macs: ['02:00:00:00:00:01', '02:00:00:00:00:02'],
  target: 'ephemeral',
  attempt: 9,
  architecture: 'amd64/generic',
  kernelOptions: 'quiet',
};
const snapshot: Snapshot = {
  version: 3,
  vlans: [],
  machines: [machine],
  ephemeral: [image],
  enlist: true,
  kernelOptions: 'console=ttyS0,115200',
};
const mac = '02:00:00:00:00:01';

describe('who boots what', () => {
  it.each([
    ['an address without our lease', snapshot, null, machine, 'wait'],
    ['before the region was ever heard', null, mac, null, 'wait'],
    ['an unknown machine', snapshot, mac, null, 'ephemeral'],
    ['an unknown machine while enlistment is off', { ...snapshot, enlist: false }, mac, null, 'local'],
    ['a machine in an attempt', snapshot, mac, machine, 'ephemeral'],
    ['a machine without an attempt', snapshot, mac, { ...machine, attempt: null }, 'wait'],
    ['a deployed machine', snapshot, mac, { ...machine, target: 'local' as const }, 'local'],
    ['a machine that should be off', snapshot, mac, { ...machine, target: 'poweroff' as const }, 'poweroff'],
    ['no image for the architecture', snapshot, mac, { ...machine, architecture: 'arm64/generic' }, 'wait'],
  ])('%s', (_name, given, leased, entry, kind) => {
    expect(decideBoot(given, leased, entry).kind).toBe(kind);
  });
});

it('renders the script and the kernel command line of the architecture page', () => {
  const boot = {
    image,
    rackUrl: 'http://10.77.0.1:5248',
    agentUrl: 'https://10.77.0.1:5249',
    pin: 'd'.repeat(64),
    ticket: 'tic.ket',
    mac,
    options: ' console=ttyS0,115200 || quiet\n',
  };
  expect(kernelCommandLine(boot)).toBe(
    `ingot.rack=http://10.77.0.1:5248 ingot.agent=https://10.77.0.1:5249 ingot.pin=${'d'.repeat(64)} ` +
      `ingot.root=${'c'.repeat(64)} ingot.ticket=tic.ket BOOTIF=01-02-00-00-00-00-01 console=ttyS0,115200 quiet`,
  );
  const lines = ephemeralScript(boot).split('\n');
  expect(lines[0]).toBe('#!ipxe');
  expect(lines[1]).toMatch(
    new RegExp(`^kernel http://10.77.0.1:5248/blobs/sha256/${'a'.repeat(64)} initrd=initrd ingot`),
  );
  expect(lines[2]).toBe(`initrd --name initrd http://10.77.0.1:5248/blobs/sha256/${'b'.repeat(64)} || goto again`);
  expect(waitScript(boot.rackUrl, 'why || reboot $' + '{net0/mac}')).not.toMatch(/\|\| reboot|\$\{/);
});

describe('the snapshot on disk', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'snapshot-'));
  });
  afterEach(async () => await rm(dir, { recursive: true }));

  it('survives a restart with its changes', async () => {
    const file = join(dir, 'rack', 'snapshot.json');
    const store = await openSnapshotStore(file);
    expect(store.current()).toBeNull();
    await store.replace(snapshot);
    store.change(4, 'abc123', { ...machine, macs: ['02:00:00:00:00:03'], target: 'local' });
    store.change(5, 'new111', { ...machine, systemId: 'new111', macs: ['02:00:00:00:00:02'] });
    await store.flush();
    for (const each of [store, await openSnapshotStore(file)]) {
      expect(each.current()?.version).toBe(5);
      expect(each.machineOf('02:00:00:00:00:01')).toBeNull();
      expect(each.machineOf('02:00:00:00:00:02')?.systemId).toBe('new111');
      expect(each.machineOf('02:00:00:00:00:03')?.target).toBe('local');
    }
    store.change(6, 'new111', null);
    expect(store.machineOf('02:00:00:00:00:02')).toBeNull();
    await store.flush();
  });

  it('is as good as none when it cannot be read', async () => {
    const file = join(dir, 'snapshot.json');
    for (const text of ['{', '{"version":1}', '']) {
      await writeFile(file, text);
      expect((await openSnapshotStore(file)).current()).toBeNull();
    }
  });
});
