/** Which options of a read request are granted: RFC 2347 (extension), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize). */

export interface Terms {
  /** Octets of file data per block. */
  blockSize: number;
  /** Blocks on their way before an ACK is waited for; 1 = lockstep, as RFC 1350 has it. */
  windowSize: number;
  /** Seconds until what is unacknowledged is sent again. */
  timeoutSeconds: number;
  /** What goes into the OACK; empty = plain RFC 1350, no OACK. */
  granted: Record<string, string>;
}

const DEFAULT_BLOCK_SIZE = 512;
const DEFAULT_TIMEOUT_SECONDS = 1;

/**
 * 1500 (Ethernet) − 20 (IPv4) − 8 (UDP) − 4 (TFTP). A server may grant less than was asked (RFC 2348), and boot ROMs
 * are poor at putting fragments together.
 */
export const LARGEST_BLOCK_SIZE = 1468;

/** RFC 2348 ends here: the largest UDP payload over IPv4 is 65507, a round number below it was taken. */
export const BLOCK_SIZE_LIMIT = 65464;

/** RFC 7440 allows 65535; beyond a few dozen blocks nothing is gained and a lost one costs more. */
const LARGEST_WINDOW = 64;

/**
 * Octets on their way at most: a receiver's socket buffer is about 208 KiB on Linux and smaller in firmware, so that a
 * larger window would lose its own end every time. At least one block is always granted.
 */
const LARGEST_WINDOW_BYTES = 128 * 1024;

/** Unknown or malformed options are left out of the answer, as RFC 2347 wants, never refused. */
export function negotiate(options: Record<string, string>, fileSize: number, largestBlock = LARGEST_BLOCK_SIZE): Terms {
  const terms: Terms = {
    blockSize: DEFAULT_BLOCK_SIZE,
    windowSize: 1,
    timeoutSeconds: DEFAULT_TIMEOUT_SECONDS,
    granted: {},
  };
  const blockSize = wholeNumber(options.blksize, 8, BLOCK_SIZE_LIMIT);
  if (blockSize !== null) terms.blockSize = Math.min(blockSize, largestBlock);
  const windowSize = wholeNumber(options.windowsize, 1, 65535);
  if (windowSize !== null) {
    const fitting = Math.max(1, Math.floor(LARGEST_WINDOW_BYTES / terms.blockSize));
    terms.windowSize = Math.min(windowSize, LARGEST_WINDOW, fitting);
  }
  const timeout = wholeNumber(options.timeout, 1, 255);
  if (timeout !== null) terms.timeoutSeconds = timeout;
  // In the order of the request: some boot ROMs read the OACK by position.
  for (const name of Object.keys(options)) {
    if (name === 'blksize' && blockSize !== null) terms.granted.blksize = String(terms.blockSize);
    else if (name === 'windowsize' && windowSize !== null) terms.granted.windowsize = String(terms.windowSize);
    else if (name === 'timeout' && timeout !== null) terms.granted.timeout = String(timeout);
    else if (name === 'tsize' && wholeNumber(options.tsize, 0, 9_999_999_999) !== null) {
      terms.granted.tsize = String(fileSize);
    }
  }
  return terms;
}

/** Digits alone, in bounds; null for anything else. RFC 2349: a value outside of the range is as if it was not asked. */
function wholeNumber(text: string | undefined, least: number, most: number): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const number = Number(text);
  return number >= least && number <= most ? number : null;
}
