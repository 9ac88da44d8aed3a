import { formatIpv4, type Ipv4Network, networkOf, parseIpv4, type Span } from '@ingot/core/network/address.ts';

/** An address with its prefix, "10.0.0.7/24" → the network it lies in; null for other than IPv4 with a prefix above 0. */
export function networkAround(text: string): Ipv4Network | null {
  const [addressText = '', prefixText = '', more] = text.trim().split('/');
  const address = parseIpv4(addressText);
  if (address === null || more !== undefined || !/^([1-9]|[12]\d|3[0-2])$/.test(prefixText)) return null;
  return networkOf(address, Number(prefixText));
}

export const cidrOf = (network: Ipv4Network): string => `${formatIpv4(network.base)}/${network.prefix}`;

/** What is left of `whole` without `taken` (any order, overlaps allowed), in ascending order. */
export function subtractSpans(whole: Span, taken: readonly Span[]): Span[] {
  const free: Span[] = [];
  let next = whole.start;
  for (const span of [...taken].sort((a, b) => a.start - b.start)) {
    if (span.end < next) continue;
    if (span.start > whole.end) break;
    if (span.start > next) free.push({ start: next, end: span.start - 1 });
    next = span.end + 1;
  }
  if (next <= whole.end) free.push({ start: next, end: whole.end });
  return free;
}

export const spanSize = (span: Span): number => span.end - span.start + 1;

export const single = (address: number): Span => ({ start: address, end: address });

/** Text of PostgreSQL's inetrange, both ends inclusive: `[10.0.0.1,10.0.0.9]`. */
export const formatSpan = (span: Span): string => `[${formatIpv4(span.start)},${formatIpv4(span.end)}]`;

/** Reads an inetrange that was written with both ends inclusive; null when it holds other than IPv4. */
export function parseSpan(text: string): Span | null {
  const match = /^\[([^,]+),([^\]]+)\]$/.exec(text);
  const start = parseIpv4(match?.[1] ?? '');
  const end = parseIpv4(match?.[2] ?? '');
  return start === null || end === null ? null : { start, end };
}
