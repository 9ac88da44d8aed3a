import type { SubnetView } from '@ingot/contract/native.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** Subnets in the order of their addresses, with the ranges that somebody set aside in them. */
export async function subnetsOf(db: Kysely<Tables>): Promise<SubnetView[]> {
  const [subnets, ranges] = await Promise.all([
    sql<Omit<SubnetView, 'ranges'>>`
      SELECT s.id, s.cidr::text AS cidr, s.name, v.vid AS vlan, coalesce(f.name, 'fabric-' || f.id) AS fabric,
             v.dhcp_on AS dhcp, host(s.gateway_ip) AS gateway
      FROM subnets s JOIN vlans v ON v.id = s.vlan_id JOIN fabrics f ON f.id = v.fabric_id
      ORDER BY s.cidr`.execute(db),
    sql<{ subnet_id: number; kind: string; start: string; end: string }>`
      SELECT subnet_id, kind, host(lower(span)) AS start, host(upper(span)) AS end
      FROM address_spans WHERE kind IN ('dynamic-range', 'reserved-range') ORDER BY lower(span)`.execute(db),
  ]);
  return subnets.rows.map((subnet) => ({
    ...subnet,
    ranges: ranges.rows
      .filter((range) => range.subnet_id === subnet.id)
      .map(({ kind, start, end }) => ({ kind, start, end })),
  }));
}
