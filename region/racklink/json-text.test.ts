import { expect, it } from 'vitest';
import { parseWireJson } from './json-text.ts';

it('takes NUL characters out of texts, wherever they stand', () => {
  expect(parseWireJson('{"a":"x\\u0000y","b":["\\u0000"],"c":"\\\\u0000"}')).toEqual({
    a: 'xy',
    b: [''],
    c: '\\u0000',
  });
});

it('gives undefined for what is no JSON', () => {
  expect(parseWireJson('{')).toBeUndefined();
  expect(parseWireJson('')).toBeUndefined();
});
