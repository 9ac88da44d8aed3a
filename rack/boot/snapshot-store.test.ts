import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootEntry, Snapshot } from '@ingot/contract/rack.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSnapshotStore } from './snapshot-store.ts';

const entry = (systemId: string, attempt: number | null): BootEntry => ({
  systemId,
  hostname: systemId,
  macs: [`02:00:00:00:00:${systemId}`],
  target: 'ephemeral',
  attempt,
  architecture: 'amd64/generic',
  kernelOptions: '',
});
const snapshot = (version: number, ...machines: BootEntry[]): Snapshot => ({
  version,
  vlans: [],
  machines,
  ephemeral: [],
  enlist: true,
  kernelOptions: '',
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'snapshot-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});
const open = () => openSnapshotStore(join(dir, 'snapshot.json'));

/**
 * @fault The region tells a rack of a new machine twice at once, and what was read first, before it was commissioned, arrives last.
 * @sees Nothing: it boots for its commissioning, and does not enlist again.
 * @ends The rack keeps the newer of the two, by their versions.
 */
it('takes the newer word on a machine, in whatever order they come', async () => {
  const store = await open();
  await store.replace(snapshot(10));
  const attempt = () => store.machineOf('02:00:00:00:00:0a')?.attempt;
  store.change(12, '0a', entry('0a', 7));
  store.change(11, '0a', null);
  expect(attempt()).toBe(7);
  // Nor does a snapshot that was begun before.
  await store.replace(snapshot(11, entry('0a', null), entry('0b', null)));
  expect([attempt(), store.machineOf('02:00:00:00:00:0b')?.attempt]).toEqual([7, null]);
  expect(store.current()?.version).toBe(12);
  await store.replace(snapshot(13, entry('0a', 8)));
  store.change(12, '0a', null);
  expect(attempt()).toBe(8);
  store.change(14, '0a', null);
  expect(store.machineOf('02:00:00:00:00:0a')).toBeNull();
  store.change(13, '0a', entry('0a', 8));
  expect(store.machineOf('02:00:00:00:00:0a')).toBeNull();
  await store.flush();
});

it('believes a region that counts anew, over a new link', async () => {
  const store = await open();
  await store.replace(snapshot(500, entry('0a', 1)));
  store.change(501, '0a', entry('0a', 2));
  store.newLink();
  await store.replace(snapshot(3, entry('0a', 3)));
  store.change(4, '0a', entry('0a', 4));
  expect(store.machineOf('02:00:00:00:00:0a')?.attempt).toBe(4);
});

it('knows after a restart what it was told last', async () => {
  const store = await open();
  await store.replace(snapshot(1, entry('0a', 1)));
  store.change(2, '0b', entry('0b', 2));
  store.change(3, '0a', null);
  await store.flush();
  const again = await open();
  expect(again.current()?.version).toBe(3);
  expect(again.machineOf('02:00:00:00:00:0a')).toBeNull();
  expect(again.machineOf('02:00:00:00:00:0B')?.attempt).toBe(2);
});
