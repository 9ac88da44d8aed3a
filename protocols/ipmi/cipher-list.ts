import { CIPHER_SUITES, type CipherSuite } from './suite.ts';

/** Records of Get Channel Cipher Suites (IPMI 2.0 §22.15.2): a start byte, then algorithms told apart by their top bits. */

const STANDARD = 0xc0;
const OEM = 0xc1;
const INTEGRITY = 0x40;
const CONFIDENTIALITY = 0x80;

/** Bytes of the list that one reply carries; a reply with fewer is the last. */
export const LIST_CHUNK = 16;

export function encodeCipherList(suites: readonly CipherSuite[]): Buffer {
  return Buffer.from(
    suites.flatMap((suite) => [
      STANDARD,
      suite.id,
      suite.authentication,
      INTEGRITY | suite.integrity,
      CONFIDENTIALITY | suite.confidentiality,
    ]),
  );
}

/** Suite numbers in the order of the list; OEM records and whatever cannot be read are passed over. */
export function decodeCipherList(list: Buffer): number[] {
  const ids: number[] = [];
  for (let at = 0; at < list.length; ) {
    const start = list[at];
    const id = list[at + 1];
    if (start === STANDARD && id !== undefined) ids.push(id);
    // An OEM record has three bytes of manufacturer after its number.
    at += start === STANDARD ? 2 : start === OEM ? 5 : 1;
    while (at < list.length && (list[at] ?? 0) < STANDARD) at += 1;
  }
  return ids;
}

/**
 * Suites to try, best first. Lists of BMCs err both ways, so the other suite follows: a refused Open Session costs one
 * round trip and no login attempt. `listed` null = the BMC did not tell: then the older one first.
 */
export function suitesToTry(listed: readonly number[] | null): readonly CipherSuite[] {
  const bestFirst = CIPHER_SUITES.toSorted((a, b) => b.id - a.id);
  const rank = (suite: CipherSuite) => (listed?.includes(suite.id) ? 0 : 1);
  if (listed === null || !bestFirst.some((suite) => rank(suite) === 0)) return bestFirst.toReversed();
  return bestFirst.toSorted((a, b) => rank(a) - rank(b));
}
