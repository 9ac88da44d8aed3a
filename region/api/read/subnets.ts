import type { SubnetView } from '@ingot/contract/native.ts';
import { type Kysely, sql } from 'kysely';
import { EXHAUSTED_MINUTES } from '../../network/dhcp-report.ts';
import { modeOf } from '../../network/mode.ts';
import { networkWarnings } from '../../network/network-warnings.ts';
import type { Tables } from '../../store/schema.ts';

interface Row {
  id: number;
  cidr: string;
  name: string;
  vlan: number;
  vlan_id: number;
  fabric: string;
  gateway: string | null;
  dhcp_on: boolean;
  dhcp_proxy: boolean;
  relay_vlan_id: number | null;
  relay: string | null;
  primary_rack: string | null;
  secondary_rack: string | null;
  probed: boolean;
  addresses: number | null;
  given: number | null;
  exhausted: boolean;
}

/** Subnets in the order of their addresses, with the ranges that somebody set aside in them and how DHCP fares there. */
export async function subnetsOf(db: Kysely<Tables>): Promise<SubnetView[]> {
  const [subnets, ranges, foreign] = await Promise.all([
    sql<Row>`
      SELECT s.id, s.cidr::text AS cidr, s.name, v.vid AS vlan, s.vlan_id, coalesce(f.name, 'fabric-' || f.id) AS fabric,
             host(s.gateway_ip) AS gateway, v.dhcp_on, v.dhcp_proxy, v.relay_vlan_id,
             (SELECT r.cidr::text FROM subnets r WHERE r.vlan_id = v.relay_vlan_id ORDER BY r.id LIMIT 1) AS relay,
             v.primary_rack, v.secondary_rack,
             coalesce(v.dhcp_probed > now() - interval '1 hour', false) AS probed,
             p.addresses, p.given, coalesce(p.exhausted, false) AS exhausted
      FROM subnets s JOIN vlans v ON v.id = s.vlan_id JOIN fabrics f ON f.id = v.fabric_id
      -- Two racks count the same addresses: the newest word is taken.
      LEFT JOIN LATERAL (SELECT d.addresses, d.given,
          d.refused_at > now() - make_interval(mins => ${EXHAUSTED_MINUTES}) AND d.given >= d.addresses AS exhausted
        FROM dhcp_pools d WHERE d.subnet_id = s.id ORDER BY d.updated DESC LIMIT 1) p ON v.dhcp_on OR v.relay_vlan_id IS NOT NULL
      ORDER BY s.cidr`.execute(db),
    sql<{ subnet_id: number; kind: string; start: string; end: string }>`
      SELECT subnet_id, kind, host(lower(span)) AS start, host(upper(span)) AS end
      FROM address_spans WHERE kind IN ('dynamic-range', 'reserved-range') ORDER BY lower(span)`.execute(db),
    sql<{ vlan_id: number; address: string; mac: string; seen: Date }>`
      SELECT vlan_id, host(address) AS address, mac, seen FROM foreign_dhcp ORDER BY seen DESC, address`.execute(db),
  ]);
  return subnets.rows.map((row) => {
    const mode = modeOf(row);
    const servers = foreign.rows.filter((server) => server.vlan_id === row.vlan_id);
    const pool = row.addresses === null || row.given === null ? null : { addresses: row.addresses, given: row.given };
    const { id, cidr, name, vlan, fabric, gateway, relay, probed, exhausted } = row;
    return {
      id,
      cidr,
      name,
      vlan,
      fabric,
      dhcp: row.dhcp_on,
      mode,
      relay,
      primaryRack: row.primary_rack,
      secondaryRack: row.secondary_rack,
      gateway,
      ranges: ranges.rows
        .filter((range) => range.subnet_id === id)
        .map(({ kind, start, end }) => ({ kind, start, end })),
      foreignDhcp: servers.map(({ address, mac, seen }) => ({ address, mac, seen: seen.toISOString() })),
      pool,
      warnings: networkWarnings({ cidr, mode, foreign: servers, probed, pool, exhausted }),
    };
  });
}
