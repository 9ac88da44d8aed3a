/** Which options of a read request are granted: RFC 2347 (extension), 2348 (blksize), 2349 (timeout, tsize). */

export interface Terms {
  /** Octets of file data per block. */
  blockSize: number;
  /** Seconds until a block is sent again. */
  timeoutSeconds: number;
  /** What goes into the OACK; empty = plain RFC 1350, no OACK. */
  granted: Record<string, string>;
}

export const DEFAULT_BLOCK_SIZE = 512;
export const DEFAULT_TIMEOUT_SECONDS = 1;

/**
 * 1500 (Ethernet) − 20 (IPv4) − 8 (UDP) − 4 (TFTP). A server may grant less than was asked (RFC 2348), and boot ROMs
 * are poor at putting fragments together.
 */
export const LARGEST_BLOCK_SIZE = 1468;

/** Unknown or malformed options are left out of the answer, as RFC 2347 wants, never refused. */
export function negotiate(options: Record<string, string>, fileSize: number, largestBlock = LARGEST_BLOCK_SIZE): Terms {
  const terms: Terms = { blockSize: DEFAULT_BLOCK_SIZE, timeoutSeconds: DEFAULT_TIMEOUT_SECONDS, granted: {} };
  for (const [name, value] of Object.entries(options)) {
    if (!/^\d{1,10}$/.test(value)) continue;
    const number = Number(value);
    if (name === 'blksize' && number >= 8 && number <= 65464) {
      terms.blockSize = Math.min(number, largestBlock);
      terms.granted.blksize = String(terms.blockSize);
    } else if (name === 'timeout' && number >= 1 && number <= 255) {
      terms.timeoutSeconds = number;
      terms.granted.timeout = value;
    } else if (name === 'tsize') {
      terms.granted.tsize = String(fileSize);
    }
  }
  return terms;
}
