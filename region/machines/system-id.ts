import { randomInt } from 'node:crypto';

/** 24 signs that cannot be taken for one another. 24^6 = 191 million ids. */
const ALPHABET = '346789abcdefghkmnpqrtwxy';

export function randomSystemId(): string {
  return Array.from({ length: 6 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
