import type { AttemptView, EvidenceView, PhaseView } from '@ingot/contract/native.ts';
import { expect, it } from 'vitest';
import { evidenceByPhase, isWhereItFailed } from './phases.ts';

const phase = (name: string, second: number): PhaseView => ({
  name,
  startedAt: `2026-01-01T00:00:0${second}.000Z`,
  endedAt: null,
  seconds: 0,
  typicalSeconds: null,
  deadline: null,
  ownSeconds: null,
  bytesDone: null,
  bytesTotal: null,
});
const seen = (id: number, of: string, second: number): EvidenceView => ({
  id,
  at: `2026-01-01T00:00:0${second}.500Z`,
  phase: of,
  kind: 'test',
  text: '',
});

it('puts evidence into the phase that it names, the later one of two, and else into the phase of its time', () => {
  const phases = [phase('dhcp', 1), phase('agent', 3), phase('dhcp', 5)];
  const evidence = [seen(1, 'dhcp', 1), seen(2, 'dhcp', 4), seen(3, 'dhcp', 6), seen(4, '', 3), seen(5, 'gone', 0)];
  const ids = evidenceByPhase(phases, evidence).map((list) => list.map(({ id }) => id));
  expect(ids).toEqual([[1, 2, 5], [4], [3]]);
  expect(evidenceByPhase([], evidence)).toEqual([]);
});

it('marks the script that the failure names, else the phase that the attempt ended in', () => {
  const failed = (message: string): AttemptView => ({
    id: 1,
    kind: 'commission',
    systemId: 'abc',
    startedAt: '2026-01-01T00:00:01.000Z',
    endedAt: null,
    outcome: 'failed',
    failure: { code: 'some.code', message, evidence: null, fix: '' },
    phases: [phase('agent', 1), phase('script:lshw', 2), phase('script:serial', 3)],
  });
  const marks = (attempt: AttemptView) => attempt.phases.map((_, index) => isWhereItFailed(attempt, index));
  expect(marks(failed('lshw failed.'))).toEqual([false, true, false]);
  expect(marks(failed('Nothing was heard.'))).toEqual([false, false, true]);
  expect(marks({ ...failed('lshw failed.'), outcome: 'passed' })).toEqual([false, false, false]);
});
