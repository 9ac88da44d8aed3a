import { expect, it } from 'vitest';
import { byteRange } from './byte-range.ts';

it.each([
  [undefined, 100, 'whole'],
  ['bytes=0-', 100, { first: 0, last: 99 }],
  ['bytes=10-19', 100, { first: 10, last: 19 }],
  ['bytes=90-500', 100, { first: 90, last: 99 }],
  ['bytes=-10', 100, { first: 90, last: 99 }],
  ['bytes=-500', 100, { first: 0, last: 99 }],
  ['bytes=100-', 100, 'unsatisfiable'],
  ['bytes=-0', 100, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=20-10', 100, 'whole'],
  ['bytes=0-1,4-5', 100, 'whole'],
  ['lines=0-1', 100, 'whole'],
  ['bytes=-', 100, 'whole'],
])('%s of %i bytes', (header, size, expected) => {
  expect(byteRange(header, size)).toEqual(expected);
});
