/** IPv4 arithmetic on unsigned 32-bit numbers. */

/** Null unless the text is four decimal octets. */
export function parseIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return null;
  const octets = match.slice(1).map(Number);
  if (octets.some((octet) => octet > 255)) return null;
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** Null unless `a.b.c.d/0–32`. Host bits are dropped. */
export function parseCidr(text: string): { network: number; prefix: number } | null {
  const [address, prefixText, rest] = text.split('/');
  const value = parseIpv4(address ?? '');
  if (value === null || rest !== undefined || !/^\d{1,2}$/.test(prefixText ?? '') || Number(prefixText) > 32)
    return null;
  const prefix = Number(prefixText);
  return { network: networkOf(value, prefix), prefix };
}

export function cidrContains(cidr: string, address: string): boolean {
  const block = parseCidr(cidr);
  const value = parseIpv4(address);
  return block !== null && value !== null && networkOf(value, block.prefix) === block.network;
}

function networkOf(value: number, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return Math.floor(value / size) * size;
}
