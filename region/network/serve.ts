import {
  contains,
  formatIpv4,
  type Ipv4Network,
  parseIpv4,
  type Span,
  usableSpan,
} from '@ingot/core/network/address.ts';
import type { Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { EXCLUSION_VIOLATION, sqlState } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';
import type { Tables } from '../store/schema.ts';
import { rackAddresses, type SubnetSpace, subnetSpace } from './free-addresses.ts';
import { ensureSubnet } from './learn.ts';
import { cidrOf, formatSpan, networkAround, spanSize, subtractSpans } from './spans.ts';

export interface ServeRequest {
  cidr: string;
  /** Of the dynamic range; both or neither. */
  start?: string;
  end?: string;
  gateway?: string;
}

export interface Served {
  subnetId: number;
  vlanId: number;
  cidr: string;
  range: { start: string; end: string };
  /** Rack that stands in the network; null while none was seen there. */
  rack: string | null;
}

/**
 * Turns DHCP on for a network, which is made when unknown. Without a range: the one it has, else the largest free run in
 * the upper half of its addresses, so that the lower half is left for addresses given to machines. Throws Problem.
 */
export async function serve(deps: Pick<RegionDeps, 'db' | 'changes'>, request: ServeRequest): Promise<Served> {
  const network = networkAround(request.cidr);
  if (network === null || network.prefix > 29 || cidrOf(network) !== request.cidr.trim()) {
    throw invalid(
      'cidr',
      `'${request.cidr}' is not an IPv4 network.`,
      'Give a network of at least 8 addresses, 10.0.0.0/24.',
    );
  }
  const gateway = request.gateway === undefined ? null : inNetwork(network, 'gateway', request.gateway);
  const asked = askedRange(network, request);
  try {
    const served = await deps.db.transaction().execute(async (trx) => {
      const subnet = await ensureSubnet(trx, network);
      await trx.selectFrom('subnets').select('id').where('id', '=', subnet.id).forUpdate().execute();
      if (gateway !== null) {
        await trx
          .updateTable('subnets')
          .set({ gateway_ip: formatIpv4(gateway) })
          .where('id', '=', subnet.id)
          .execute();
      }
      const space = await subnetSpace(trx, subnet.id);
      if (space === null) throw new Error(`subnet ${subnet.id} was read back as another family`);
      const range = await ensureRange(trx, subnet.id, space, asked);
      const here = (await rackAddresses(trx)).filter((rack) => contains(network, rack.address));
      const vlan = await trx
        .selectFrom('vlans')
        .select('primary_rack')
        .where('id', '=', subnet.vlanId)
        .executeTakeFirstOrThrow();
      const rack = vlan.primary_rack ?? here[0]?.rackId ?? null;
      await trx
        .updateTable('vlans')
        .set({ dhcp_on: true, relay_vlan_id: null, primary_rack: rack })
        .where('id', '=', subnet.vlanId)
        .execute();
      await trx
        .insertInto('changes')
        .values({ kind: 'network', key: String(subnet.id) })
        .execute();
      const shown = { start: formatIpv4(range.start), end: formatIpv4(range.end) };
      return { subnetId: subnet.id, vlanId: subnet.vlanId, cidr: cidrOf(network), range: shown, rack };
    });
    deps.changes.announce();
    return served;
  } catch (error) {
    if (sqlState(error) !== EXCLUSION_VIOLATION) throw error;
    throw conflict();
  }
}

function invalid(field: string, message: string, fix: string): Problem {
  return new Problem('network.invalid', {}, { message, field, fix });
}

function conflict(): Problem {
  return new Problem('network.range_conflict', {}, { field: 'start' });
}

function inNetwork(network: Ipv4Network, field: string, text: string): number {
  const address = parseIpv4(text.trim());
  const usable = usableSpan(network);
  if (address !== null && address >= usable.start && address <= usable.end) return address;
  throw invalid(field, `${text} is not a host's address in ${cidrOf(network)}.`, 'Give an address of that network.');
}

function askedRange(network: Ipv4Network, request: ServeRequest): Span | null {
  if (request.start === undefined && request.end === undefined) return null;
  if (request.start === undefined || request.end === undefined) {
    throw invalid('start', 'A range has a first and a last address.', 'Give both start and end, or neither.');
  }
  const span = { start: inNetwork(network, 'start', request.start), end: inNetwork(network, 'end', request.end) };
  if (span.end < span.start) throw invalid('end', 'The range ends before it starts.', 'Swap start and end.');
  return span;
}

async function ensureRange(
  trx: Transaction<Tables>,
  subnetId: number,
  space: SubnetSpace,
  asked: Span | null,
): Promise<Span> {
  const [existing] = space.dynamic;
  const isThere = asked && space.dynamic.some((span) => span.start === asked.start && span.end === asked.end);
  if (asked && isThere) return asked;
  if (asked === null && existing) return existing;
  const taken = [...space.used, ...space.reserved, ...space.dynamic];
  if (asked && taken.some((span) => span.start <= asked.end && span.end >= asked.start)) throw conflict();
  const range = asked ?? upperHalf(space);
  if (range === null) throw new Problem('network.full');
  await trx
    .insertInto('address_spans')
    .values({ subnet_id: subnetId, span: formatSpan(range), kind: 'dynamic-range' })
    .execute();
  return range;
}

/** The largest free run (ties: the highest) in the upper half of the usable addresses. */
function upperHalf(space: SubnetSpace): Span | null {
  const usable = usableSpan(space.network);
  const upper = { start: usable.start + Math.ceil(spanSize(usable) / 2), end: usable.end };
  let best: Span | null = null;
  for (const run of subtractSpans(upper, [...space.used, ...space.reserved])) {
    if (best === null || spanSize(run) >= spanSize(best)) best = run;
  }
  return best;
}
