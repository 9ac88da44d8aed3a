import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkEnrolment } from './enroll.ts';

const { publicKey: key } = generateKeyPairSync('ed25519');
const publicKey = key.export({ type: 'spki', format: 'der' }).toString('base64');
const rack = { id: 'abc-123', name: 'hall-2.site', publicKey };

test('a rack has a plain id and name, and an Ed25519 key', () => {
  expect(checkEnrolment(rack)).toEqual({ ok: true });
  for (const bad of [{ id: '' }, { id: 'a/b' }, { name: '-x' }, { name: 'two words' }, { name: 'x'.repeat(64) }]) {
    expect(checkEnrolment({ ...rack, ...bad })).toMatchObject({ ok: false, code: 'rack.bad_name' });
  }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
  for (const other of ['', 'not base64!', rsa.toString('base64')]) {
    expect(checkEnrolment({ ...rack, publicKey: other })).toMatchObject({ ok: false, code: 'rack.bad_key' });
  }
});
