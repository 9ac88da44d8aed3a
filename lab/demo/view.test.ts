import type { AttemptView, MachineView, PhaseView } from '@ingot/contract/native.ts';
import { expect, test } from 'vitest';
import { paint, type Row } from './view.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const phase = (part: Partial<PhaseView>): PhaseView => ({
  name: 'dhcp',
  startedAt: new Date(start).toISOString(),
  endedAt: null,
  seconds: 0,
  typicalSeconds: null,
  deadline: null,
  ownSeconds: null,
  bytesDone: null,
  bytesTotal: null,
  ...part,
});
const attempt = (phases: PhaseView[]): AttemptView => ({
  id: 1,
  kind: 'deploy',
  systemId: 'abc123',
  startedAt: new Date(start).toISOString(),
  endedAt: null,
  outcome: null,
  failure: null,
  phases,
});
const row = (phases: PhaseView[]): Row => ({
  name: 'amber',
  firmware: 'BIOS',
  doing: 'deploying',
  since: start,
  typical: { 'deploy: step:files': [40], 'deploy: agent': [8, 0.1] },
  // The view reads three fields of the machine; a whole one would hide which.
  machine: { hostname: 'calm-otter', statusName: 'Deploying', attempt: attempt(phases) } as MachineView,
});

test('says per machine what runs since when, with a bar by bytes', () => {
  const rows = [
    row([
      phase({ endedAt: new Date(start + 1200).toISOString(), seconds: 1.2 }),
      phase({ name: 'step:image', typicalSeconds: 28, bytesDone: 67_000_000, bytesTotal: 134_000_000 }),
    ]),
  ];
  expect(paint(rows, start + 65_000, 120)).toEqual([
    'amber (BIOS)  calm-otter is Deploying  ·  deploying 1:05',
    '  ✓ deploy dhcp                           1.2 s',
    '  ▸ deploy step:image                    65.0 s of about 28  [##########..........] 67/134 MB',
  ]);
});

test('a machine that is not known yet has one line, and no line is wider than the terminal', () => {
  const unknown: Row = {
    name: 'birch',
    firmware: 'UEFI',
    doing: 'switched on',
    since: start,
    machine: null,
    typical: {},
  };
  expect(paint([unknown], start + 3000, 40)).toEqual(['birch (UEFI)  not known to Ingot y… 0:03']);
});

test('sixty columns keep what moves: the elapsed and the typical time; a bar that does not fit is left out', () => {
  const rows = [
    row([phase({ name: 'step:image', typicalSeconds: 28, bytesDone: 67_000_000, bytesTotal: 134_000_000 })]),
  ];
  expect(paint(rows, start + 65_000, 60)).toEqual([
    'amber (BIOS)  calm-otter is Deploying  ·  deploying 1:05',
    '  ▸ deploy step:image                65.0 s of about 28',
  ]);
});

test('a phase that comes twice is compared with the time of its turn', () => {
  const ended = phase({ name: 'agent', endedAt: new Date(start + 9000).toISOString(), seconds: 9 });
  const lines = (phases: PhaseView[]) => paint([row(phases)], start + 2000, 60).slice(1);
  expect(lines([phase({ name: 'agent' })])).toEqual(['  ▸ deploy agent                      2.0 s of about 8']);
  expect(lines([ended, phase({ name: 'agent' })])).toEqual([
    '  ✓ deploy agent                      9.0 s',
    '  ▸ deploy agent                      2.0 s of about 1',
  ]);
});
