/** First and last byte of an answer, inclusive. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * A `Range` header for a file of `size` bytes (RFC 9110 §14.2): one range of bytes; `whole` when there is no header or it
 * is one that a server may ignore (several ranges, another unit), `unsatisfiable` for 416.
 */
export function byteRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = header === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (!match) return 'whole';
  const from = match[1] ?? '';
  const to = match[2] ?? '';
  if (from === '' && to === '') return 'whole';
  if (from === '') {
    const suffix = Number(to);
    if (suffix === 0 || size === 0) return 'unsatisfiable';
    return { first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return 'whole';
  if (first >= size) return 'unsatisfiable';
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
