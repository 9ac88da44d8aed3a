/** IPv4 addresses as unsigned 32-bit numbers, for range arithmetic. */
export type Ipv4 = number;

/** "10.0.0.1" (a trailing /32 is ignored) → number; null for anything else. */
export function parseIpv4(text: string): Ipv4 | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/32)?$/.exec(text.trim());
  if (!match) return null;
  const bytes = match.slice(1).map(Number);
  if (bytes.some((byte) => byte > 255)) return null;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function formatIpv4(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export interface Ipv4Network {
  /** Canonical, "10.0.0.0/24". */
  cidr: string;
  prefix: number;
  network: Ipv4;
  broadcast: Ipv4;
  /** What hosts may have: without network and broadcast, except for /31 and /32. */
  first: Ipv4;
  last: Ipv4;
}

/** "10.0.0.7/24" → the network it lies in; null for anything else. */
export function parseNetwork(text: string): Ipv4Network | null {
  const [addressText, prefixText, more] = text.trim().split('/');
  const address = parseIpv4(addressText ?? '');
  const prefix = Number(prefixText);
  if (address === null || more !== undefined || !/^\d{1,2}$/.test(prefixText ?? '') || prefix < 1 || prefix > 32)
    return null;
  const size = 2 ** (32 - prefix);
  const network = Math.floor(address / size) * size;
  const broadcast = network + size - 1;
  const open = prefix >= 31 ? 0 : 1;
  const cidr = `${formatIpv4(network)}/${prefix}`;
  return { cidr, prefix, network, broadcast, first: network + open, last: broadcast - open };
}

/** Inclusive. */
export interface Span {
  start: Ipv4;
  end: Ipv4;
}

/** What is left of `whole` without `taken` (any order, overlaps allowed), in ascending order. */
export function subtractSpans(whole: Span, taken: readonly Span[]): Span[] {
  const free: Span[] = [];
  let next = whole.start;
  for (const span of [...taken].sort((a, b) => a.start - b.start)) {
    if (span.end < next) continue;
    if (span.start > whole.end) break;
    if (span.start > next) free.push({ start: next, end: span.start - 1 });
    next = Math.max(next, span.end + 1);
  }
  if (next <= whole.end) free.push({ start: next, end: whole.end });
  return free;
}

export const spanSize = (span: Span): number => span.end - span.start + 1;

/** Text of PostgreSQL's inetrange, both ends inclusive: `[10.0.0.1,10.0.0.9]`. */
export function formatSpan(span: Span): string {
  return `[${formatIpv4(span.start)},${formatIpv4(span.end)}]`;
}

/** Reads an inetrange that was written with both ends inclusive; null when it holds other than IPv4. */
export function parseSpan(text: string): Span | null {
  const match = /^\[([^,]+),([^\]]+)\]$/.exec(text);
  const start = parseIpv4(match?.[1] ?? '');
  const end = parseIpv4(match?.[2] ?? '');
  return start === null || end === null ? null : { start, end };
}
