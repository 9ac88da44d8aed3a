/** Cipher suites of RMCP+ (IPMI 2.0 table 22-20), as data: a suite is its hash, its algorithm numbers and two lengths. */
export interface CipherSuite {
  id: number;
  hash: 'sha1' | 'sha256';
  authentication: number;
  integrity: number;
  confidentiality: number;
  /** Bytes of the code at the end of a session packet. */
  integrityLength: number;
  /** Bytes of the check value in RAKP 4. */
  rakp4Length: number;
}

export const CIPHER_SUITES: readonly CipherSuite[] = [
  { id: 3, hash: 'sha1', authentication: 1, integrity: 1, confidentiality: 1, integrityLength: 12, rakp4Length: 12 },
  { id: 17, hash: 'sha256', authentication: 3, integrity: 4, confidentiality: 1, integrityLength: 16, rakp4Length: 16 },
];

export function cipherSuite(id: number): CipherSuite | null {
  return CIPHER_SUITES.find((suite) => suite.id === id) ?? null;
}
