import { randomFillSync } from 'node:crypto';

/** Drawn at once, for many packets: a single draw costs as much as the packet's encryption. */
const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);

/** `count` ≤ 32 bytes from the system's generator that nobody got before. */
export function freshRandom(count: number): Buffer {
  if (pool.length < count) pool = randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES));
  const taken = pool.subarray(0, count);
  pool = pool.subarray(count);
  return taken;
}
