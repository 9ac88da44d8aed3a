import { open } from 'node:fs/promises';

const CHUNK = 4 << 20;

export interface DiskFinding {
  bytes: number;
  /** Offset of the first byte that is not zero; null when every sector reads zero. */
  firstNonZero: number | null;
  /** Where each searched text was found first; −1 when nowhere. */
  found: Record<string, number>;
}

/** Reads the whole raw image as any reader of the disk would, from outside the machine. */
export async function inspectDisk(file: string, texts: string[]): Promise<DiskFinding> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const overlap = Math.max(0, ...texts.map((text) => Buffer.byteLength(text) - 1));
    const buffer = Buffer.alloc(overlap + CHUNK);
    const zeros = Buffer.alloc(CHUNK);
    const found = Object.fromEntries(texts.map((text) => [text, -1]));
    let firstNonZero: number | null = null;
    for (let offset = 0; offset < size; offset += CHUNK) {
      // The end of the chunk before stays in front, so that a text across the border is seen.
      buffer.copy(buffer, 0, CHUNK, CHUNK + overlap);
      const { bytesRead } = await handle.read(buffer, overlap, Math.min(CHUNK, size - offset), offset);
      const chunk = buffer.subarray(overlap, overlap + bytesRead);
      if (chunk.equals(zeros.subarray(0, bytesRead))) continue;
      firstNonZero ??= offset + chunk.findIndex((byte) => byte !== 0);
      for (const text of texts) {
        if (found[text] !== -1) continue;
        const at = buffer.subarray(0, overlap + bytesRead).indexOf(text);
        if (at >= 0) found[text] = offset - overlap + at;
      }
    }
    return { bytes: size, firstNonZero, found };
  } finally {
    await handle.close();
  }
}
