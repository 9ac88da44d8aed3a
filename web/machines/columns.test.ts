import type { MachineView } from '@ingot/contract/native.ts';
import { describe, expect, it } from 'vitest';
import { sorted, sortOf, sortText } from './columns.ts';

const machine = (hostname: string, memory: number): MachineView => ({
  systemId: hostname,
  hostname,
  fqdn: `${hostname}.maas`,
  status: 'READY',
  statusName: 'Ready',
  statusSince: '2026-01-01T00:00:00Z',
  owner: null,
  locked: false,
  zone: 'default',
  pool: 'default',
  tags: [],
  architecture: 'amd64/generic',
  powerType: 'ipmi',
  powerState: 'off',
  cpuCount: 1,
  memory,
  storage: 0,
  diskCount: 0,
  firmware: 'bios',
  osystem: '',
  distroSeries: '',
  addresses: [],
  errorDescription: '',
  attempt: null,
  waitingFor: null,
});

describe('the sort order in the address', () => {
  it('survives a round trip', () => {
    for (const text of ['memory', '-memory', '-name', 'owner']) expect(sortText(sortOf(text))).toBe(text);
  });
  it('falls back to the name, which needs no parameter', () => {
    expect(sortOf('nonsense')).toEqual({ key: 'name', descending: false });
    expect(sortText(sortOf(undefined))).toBeUndefined();
  });
  it('compares numbers as numbers and keeps equals by name', () => {
    const list = [machine('node10', 2048), machine('node2', 2048), machine('node1', 16384)];
    expect(sorted(list, sortOf('memory')).map((one) => one.hostname)).toEqual(['node2', 'node10', 'node1']);
    expect(sorted(list, sortOf('-memory')).map((one) => one.hostname)).toEqual(['node1', 'node2', 'node10']);
  });
});
