import { RackInterface } from '@ingot/contract/rack.ts';
import {
  contains,
  type Ipv4Network,
  parseCidr,
  parseIpv4,
  type Span,
  usableSpan,
} from '@ingot/core/network/address.ts';
import type { Kysely, Transaction } from 'kysely';
import * as z from 'zod';
import type { Tables } from '../store/schema.ts';
import { networkAround, parseSpan, single, spanSize, subtractSpans } from './spans.ts';

type Reader = Kysely<Tables> | Transaction<Tables>;

const Interfaces = z.array(RackInterface);

/** Addresses that racks themselves have, as they reported them. */
export async function rackAddresses(db: Reader): Promise<{ rackId: string; address: number; network: Ipv4Network }[]> {
  const racks = await db.selectFrom('racks').select(['system_id', 'interfaces']).execute();
  return racks.flatMap((rack) => {
    const interfaces = Interfaces.safeParse(rack.interfaces);
    if (!interfaces.success) return [];
    return interfaces.data.flatMap((card) =>
      card.addresses.flatMap((text) => {
        const address = parseIpv4(text.split('/')[0] ?? '');
        const network = networkAround(text);
        return address === null || network === null ? [] : [{ rackId: rack.system_id, address, network }];
      }),
    );
  });
}

export interface SubnetSpace {
  network: Ipv4Network;
  managed: boolean;
  dynamic: Span[];
  reserved: Span[];
  /** Given addresses, gateway, DNS servers, racks, leases and other addresses seen. */
  used: Span[];
}

/** What is known to be taken in a subnet. Null for other than IPv4. */
export async function subnetSpace(db: Reader, subnetId: number): Promise<SubnetSpace | null> {
  const subnet = await db.selectFrom('subnets').selectAll().where('id', '=', subnetId).executeTakeFirst();
  const network = parseCidr(subnet?.cidr ?? '');
  if (!subnet || !network) return null;
  const space: SubnetSpace = { network, managed: subnet.managed, dynamic: [], reserved: [], used: [] };
  const spans = await db
    .selectFrom('address_spans')
    .select(['span', 'kind'])
    .where('subnet_id', '=', subnetId)
    .execute();
  for (const row of spans) {
    const span = parseSpan(row.span);
    if (!span) continue;
    if (row.kind === 'dynamic-range') space.dynamic.push(span);
    else if (row.kind === 'reserved-range') space.reserved.push(span);
    else space.used.push(span);
  }
  const leases = await db
    .selectFrom('leases')
    .select('ip')
    .where('subnet_id', '=', subnetId)
    .where('expires', '>', new Date())
    .execute();
  const seen = [subnet.gateway_ip, ...subnet.dns_servers, ...leases.map((lease) => lease.ip)]
    .map((text) => parseIpv4(text ?? ''))
    .filter((address) => address !== null);
  const racks = (await rackAddresses(db)).map((rack) => rack.address);
  for (const address of [...seen, ...racks]) {
    if (contains(network, address)) space.used.push(single(address));
  }
  return space;
}

/**
 * The address that MAAS would give: the lowest of the smallest contiguous free run (ties: the lowest run). On a managed
 * subnet outside all ranges, on an unmanaged one only inside reserved ranges. Null when nothing is free.
 */
export function nextFreeAddress(space: SubnetSpace): number | null {
  const { network } = space;
  const runs = space.managed
    ? subtractSpans(usableSpan(network), [...space.dynamic, ...space.reserved, ...space.used])
    : [...space.reserved]
        .sort((a, b) => a.start - b.start)
        .flatMap((range) => subtractSpans(range, [...space.dynamic, ...space.used]));
  let best: Span | null = null;
  for (const run of runs) if (best === null || spanSize(run) < spanSize(best)) best = run;
  return best?.start ?? null;
}
