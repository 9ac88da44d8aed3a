import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { computeLedger, renderLedger } from './ledger.ts';
import { STATUSES, type Status } from './status.ts';
import { TRANSITIONS } from './transitions.ts';

const file = (name: string) => new URL(name, import.meta.url);

function tsv(name: string): string[][] {
  const [, ...lines] = readFileSync(file(name), 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.split('\t'));
}

const transcription = tsv('./testdata/lifecycle-transcription.tsv');

/** The transcription for one cell: the first line that names the status, `*` being all others and `=` "stays". */
function transcribed(situation: string, status: Status): string | undefined {
  const row = transcription.find(
    ([name, statuses = '']) => name === situation && (statuses === '*' || statuses.split(',').includes(status)),
  );
  return row?.[2] === '=' ? status : row?.[2];
}

test('the tracked ledger is what decide() does', () => {
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file('./ledger.tsv'), renderLedger());
  expect(readFileSync(file('./ledger.tsv'), 'utf8')).toBe(renderLedger());
});

test('decide() does what the reference says, but for the listed deviations', () => {
  const differing: string[][] = [];
  for (const [situation, row] of computeLedger()) {
    for (const [status, ours] of row) {
      const reference = transcribed(situation, status) ?? 'not transcribed';
      if (reference !== ours) differing.push([situation, status, reference, ours]);
    }
  }
  const deviations = tsv('./deviations.tsv');
  expect(differing.map((row) => row.join(' | ')).sort()).toEqual(
    deviations.map((row) => row.slice(0, 4).join(' | ')).sort(),
  );
  for (const row of deviations) expect(row[4]?.length, row.join(' ')).toBeGreaterThan(20);
});

describe('the transition table', () => {
  test.each(STATUSES)('%s leads where the transcription says', (status) => {
    expect([...TRANSITIONS[status]].sort()).toEqual(transcribed('transition', status)?.split(',').sort());
  });
});
