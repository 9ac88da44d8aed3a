/** An IPv4 address as an unsigned 32-bit number. Octets with leading zeros are refused: tools disagree about their base. */
export function parseIpv4(text: string): number | null {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (match === null) return null;
  let value = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255) return null;
    value = value * 256 + Number(octet);
  }
  return value;
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export interface Ipv4Network {
  /** Network address. */
  base: number;
  prefix: number;
  /** Last address: broadcast for prefixes up to 30. */
  last: number;
}

/** Parse `10.0.0.0/24`; null when it is none, also when host bits are set or the prefix is 0. */
export function parseCidr(text: string): Ipv4Network | null {
  const [addressText = '', prefixText = ''] = text.split('/', 2);
  const base = parseIpv4(addressText);
  if (base === null || !/^([1-9]|[12]\d|3[0-2])$/.test(prefixText)) return null;
  const prefix = Number(prefixText);
  const size = 2 ** (32 - prefix);
  return base % size === 0 ? { base, prefix, last: base + size - 1 } : null;
}

export function contains(network: Ipv4Network, address: number): boolean {
  return address >= network.base && address <= network.last;
}

/** The network an address with prefix lies in. */
export function networkOf(address: number, prefix: number): Ipv4Network {
  const size = 2 ** (32 - prefix);
  const base = Math.floor(address / size) * size;
  return { base, prefix, last: base + size - 1 };
}

/** First and last address a host may have. All of a /31 or /32 (RFC 3021). */
export function usableSpan(network: Ipv4Network): Span {
  return network.prefix >= 31
    ? { start: network.base, end: network.last }
    : { start: network.base + 1, end: network.last - 1 };
}

/** Addresses from start to end, both included. */
export interface Span {
  start: number;
  end: number;
}

/** What is left of a network's usable addresses without the taken spans, in order. */
export function freeSpans(network: Ipv4Network, taken: Span[]): Span[] {
  const usable = usableSpan(network);
  const free: Span[] = [];
  let next = usable.start;
  for (const span of [...taken].sort((a, b) => a.start - b.start)) {
    if (span.end < next) continue;
    if (span.start > usable.end) break;
    if (span.start > next) free.push({ start: next, end: span.start - 1 });
    next = span.end + 1;
  }
  if (next <= usable.end) free.push({ start: next, end: usable.end });
  return free;
}
