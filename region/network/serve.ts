import type { DhcpMode } from '@ingot/contract/rack.ts';
import { formatIpv4, type Ipv4Network, parseIpv4, type Span, usableSpan } from '@ingot/core/network/address.ts';
import type { Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { EXCLUSION_VIOLATION, sqlState } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';
import type { Tables } from '../store/schema.ts';
import { type SubnetSpace, subnetSpace } from './free-addresses.ts';
import { ensureSubnet } from './learn.ts';
import { markVlan } from './mark-vlan.ts';
import { columnsOf } from './mode.ts';
import { servingRacks } from './serving-racks.ts';
import { cidrOf, formatSpan, networkAround, spanSize, subtractSpans } from './spans.ts';

export interface ServeRequest {
  cidr: string;
  /** `on` unless told. */
  mode?: DhcpMode;
  /** Of the dynamic range; both or neither, with `on` and `relay`. */
  start?: string | undefined;
  end?: string | undefined;
  gateway?: string;
  /** With `relay`: CIDR of the network to whose rack requests are relayed. */
  via?: string | undefined;
  /** Id or name; `none` takes the rack away. */
  primary?: string | undefined;
  secondary?: string | undefined;
}

export interface Served {
  subnetId: number;
  vlanId: number;
  cidr: string;
  mode: DhcpMode;
  /** Null where Ingot gives no addresses. */
  range: { start: string; end: string } | null;
  /** Rack that stands in the network; null while none was seen there. */
  rack: string | null;
  /** Rack that stands in for the first. */
  secondary: string | null;
}

/**
 * Says who gives addresses in a network, which is made when unknown. Where Ingot does, without a range: the one it has, else
 * the largest free run in the upper half of its addresses, so that the lower half is left for addresses given to machines.
 * Throws Problem.
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
  const mode = request.mode ?? 'on';
  const gives = mode === 'on' || mode === 'relay';
  const gateway = request.gateway === undefined ? null : inNetwork(network, 'gateway', request.gateway);
  const asked = askedRange(network, request);
  if (asked !== null && !gives) {
    throw invalid('start', `Ingot gives no addresses with mode ${mode}.`, 'Leave the range out.');
  }
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
      const range = gives ? await rangeFor(trx, subnet.id, asked) : null;
      const vlan = await trx
        .selectFrom('vlans')
        .select(['primary_rack', 'secondary_rack'])
        .where('id', '=', subnet.vlanId)
        .executeTakeFirstOrThrow();
      const now = { primary: vlan.primary_rack, secondary: vlan.secondary_rack };
      const racks = await servingRacks(trx, network, now, request);
      const relayVlan = mode === 'relay' ? await relayTarget(trx, network, subnet.vlanId, request.via) : null;
      await trx
        .updateTable('vlans')
        .set({ ...columnsOf(mode, relayVlan), primary_rack: racks.primary, secondary_rack: racks.secondary })
        .where('id', '=', subnet.vlanId)
        .execute();
      await markVlan(trx, subnet.vlanId, String(subnet.id));
      const shown = range && { start: formatIpv4(range.start), end: formatIpv4(range.end) };
      const { primary: rack, secondary } = racks;
      const { vlanId } = subnet;
      return { subnetId: subnet.id, vlanId, cidr: cidrOf(network), mode, range: shown, rack, secondary };
    });
    deps.changes.announce();
    return served;
  } catch (error) {
    if (sqlState(error) !== EXCLUSION_VIOLATION) throw error;
    throw conflict();
  }
}

async function rangeFor(trx: Transaction<Tables>, subnetId: number, asked: Span | null): Promise<Span> {
  const space = await subnetSpace(trx, subnetId);
  if (space === null) throw new Error(`subnet ${subnetId} was read back as another family`);
  return await ensureRange(trx, subnetId, space, asked);
}

/** The VLAN of the network `via`, which must be served itself. */
async function relayTarget(
  trx: Transaction<Tables>,
  network: Ipv4Network,
  ownVlan: number,
  via: string | undefined,
): Promise<number> {
  const refuse = (why: string) =>
    new Problem('network.no_relay', { cidr: cidrOf(network), via: via ?? 'nowhere', why }, { field: 'via' });
  if (via === undefined) throw refuse('no network was named');
  const around = networkAround(via);
  const target = await trx
    .selectFrom('subnets as s')
    .innerJoin('vlans as v', 'v.id', 's.vlan_id')
    .select(['v.id', 'v.dhcp_on', 'v.relay_vlan_id'])
    .where('s.cidr', '=', around === null ? '0.0.0.0/0' : cidrOf(around))
    .executeTakeFirst();
  if (target === undefined) throw refuse('that network is not known');
  if (target.id === ownVlan) throw refuse('both are in the same VLAN');
  if (target.relay_vlan_id !== null) throw refuse('it is relayed itself');
  if (!target.dhcp_on) throw refuse('it is not served');
  return target.id;
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
