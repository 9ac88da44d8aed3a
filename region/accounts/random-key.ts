import { randomInt } from 'node:crypto';

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/** Random letters and digits without look-alikes; 5.8 bits each. */
export function randomKey(length: number): string {
  return Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

/** Lengths that clients of MAAS are used to: consumer, token, secret. */
export const KEY_LENGTHS = { consumer: 18, token: 18, secret: 32 } as const;
