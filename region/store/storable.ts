/**
 * A text as PostgreSQL can keep it: what others told us (machines, their systems, hosts on their networks) may hold a NUL,
 * with which hardware pads its names and which `text` and `jsonb` refuse, and half of a surrogate pair, which `jsonb`
 * refuses. The one is left out, the other becomes U+FFFD.
 */
export function storable(text: string): string {
  // With `u`, only a surrogate that stands alone is one.
  return text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\ufffd');
}

/** The same for every string of a value on its way into `jsonb`. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => (typeof one === 'string' ? storable(one) : one));
}
