import { formatIpv4, parseCidr, parseIpv4, type Span, usableSpan } from '@ingot/core/network/address.ts';
import { type Kysely, sql } from 'kysely';
import { subtractSpans } from '../../network/spans.ts';
import type { Tables } from '../../store/schema.ts';
import { badRequest } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import type { Subnet } from './atlas.ts';

/** Addresses that are taken, with the words for why (objects §6). */
export interface PurposedSpan extends Span {
  purposes: string[];
}

const PURPOSES: Readonly<Record<string, string>> = {
  auto: 'assigned-ip',
  sticky: 'assigned-ip',
  'user-reserved': 'assigned-ip',
  'dynamic-range': 'dynamic',
  'reserved-range': 'reserved',
  discovered: 'assigned-ip',
};

export interface SubnetUsage {
  whole: Span;
  taken: PurposedSpan[];
  free: Span[];
}

/** What is taken and what is free in an IPv4 subnet. Throws 400 for IPv6, which is not served yet. */
export async function subnetUsage(db: Kysely<Tables>, subnet: Subnet): Promise<SubnetUsage> {
  const network = parseCidr(subnet.cidr);
  if (network === null) throw badRequest('Only IPv4 subnets are counted on this server.');
  const whole = usableSpan(network);
  const rows = await db
    .selectFrom('address_spans')
    .select(['kind', sql<string>`host(lower(span))`.as('start'), sql<string>`host(upper(span))`.as('end')])
    .where('subnet_id', '=', subnet.id)
    .execute();
  const pieces: PurposedSpan[] = rows.flatMap((row) => {
    const [start, end] = [parseIpv4(row.start), parseIpv4(row.end)];
    return start === null || end === null ? [] : [{ start, end, purposes: [PURPOSES[row.kind] ?? row.kind] }];
  });
  const single = (text: string | null, purpose: string): void => {
    const address = parseIpv4(text ?? '');
    if (address !== null && address >= whole.start && address <= whole.end) {
      pieces.push({ start: address, end: address, purposes: [purpose] });
    }
  };
  single(subnet.gateway_ip, 'gateway-ip');
  for (const server of subnet.dns_servers) single(server, 'dns-server');
  return { whole, taken: joinPurposes(pieces), free: subtractSpans(whole, pieces) };
}

/** Cuts overlapping pieces at each other's ends, and joins neighbours that have the same purposes. */
function joinPurposes(pieces: readonly PurposedSpan[]): PurposedSpan[] {
  const cuts = [...new Set(pieces.flatMap((piece) => [piece.start, piece.end + 1]))].sort((a, b) => a - b);
  const joined: PurposedSpan[] = [];
  for (const [index, start] of cuts.entries()) {
    const next = cuts[index + 1];
    if (next === undefined) break;
    const covering = pieces.filter((piece) => piece.start <= start && piece.end >= next - 1);
    if (covering.length === 0) continue;
    const purposes = [...new Set(covering.flatMap((piece) => piece.purposes))].sort();
    const last = joined.at(-1);
    if (last !== undefined && last.end === start - 1 && last.purposes.join() === purposes.join()) last.end = next - 1;
    else joined.push({ start, end: next - 1, purposes });
  }
  return joined;
}

export const spanObject = (span: Span): { [key: string]: Json } => ({
  start: formatIpv4(span.start),
  end: formatIpv4(span.end),
  num_addresses: span.end - span.start + 1,
});

export const purposedObject = (span: PurposedSpan): Json => ({ ...spanObject(span), purpose: span.purposes });
