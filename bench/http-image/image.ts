import { createHash, randomBytes } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';

const CHUNK = 4 * 2 ** 20;

/** Writes that many bytes, a multiple of 4 MiB, under their SHA-256 into the folder; resolves with the sum. */
export async function writeImage(folder: string, size: number): Promise<string> {
  const part = path.join(folder, 'part');
  const file = await open(part, 'w');
  const hash = createHash('sha256');
  // Random once: what is measured does not look at the bytes.
  const chunk = randomBytes(CHUNK);
  try {
    for (let at = 0; at < size; at += CHUNK) {
      chunk.writeDoubleLE(at, 0);
      hash.update(chunk);
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  const sum = hash.digest('hex');
  await rename(part, path.join(folder, sum));
  return sum;
}
