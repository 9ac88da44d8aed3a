import { expect, test } from 'vitest';
import { storable, storableJson } from './storable.ts';

test('what PostgreSQL cannot keep is left out or replaced, and nothing else', () => {
  expect(storable('a\0b\ud800c\udc00')).toBe('ab\ufffdc\ufffd');
  const fine = 'é 💥 \n\u001b[2J\uffff';
  expect(storable(fine)).toBe(fine);
});

test('in a value every string is, however deep', () => {
  expect(JSON.parse(storableJson({ a: ['\0', 1, { b: '💥\ud83d' }], c: null }))).toEqual({
    a: ['', 1, { b: '💥\ufffd' }],
    c: null,
  });
});
