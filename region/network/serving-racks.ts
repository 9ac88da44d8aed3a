import { contains, formatIpv4, type Ipv4Network } from '@ingot/core/network/address.ts';
import type { Transaction } from 'kysely';
import { Problem } from '../store/problem.ts';
import type { Tables } from '../store/schema.ts';
import { rackAddresses } from './free-addresses.ts';
import { cidrOf } from './spans.ts';

export interface ServingRacks {
  primary: string | null;
  secondary: string | null;
}

/** Word that takes a rack away. */
const NONE = 'none';

/**
 * Who is to serve a network: what was asked for, else as it is, else the first rack that stands there. A secondary whose
 * primary is taken away takes its place. Throws Problem for a rack that is unknown or has no address there.
 */
export async function servingRacks(
  trx: Transaction<Tables>,
  network: Ipv4Network,
  now: ServingRacks,
  asked: { primary?: string | undefined; secondary?: string | undefined },
): Promise<ServingRacks> {
  const standing = (await rackAddresses(trx)).filter(({ address }) => contains(network, address));
  const choose = async (text: string | undefined, field: string, old: string | null): Promise<string | null> => {
    if (text === undefined) return old;
    if (text === NONE || text === '') return null;
    const rack = await trx
      .selectFrom('racks')
      .select('system_id')
      .where((eb) => eb.or([eb('system_id', '=', text), eb('name', '=', text)]))
      .executeTakeFirst();
    if (rack === undefined) throw notUsable(text, network, field, 'no rack of that name is enrolled');
    if (standing.some(({ rackId }) => rackId === rack.system_id)) return rack.system_id;
    throw notUsable(text, network, field, 'it has no address there');
  };
  const first = asked.primary === undefined ? (now.primary ?? standing[0]?.rackId ?? null) : null;
  const primary = await choose(asked.primary, 'primary', first);
  const secondary = await choose(asked.secondary, 'secondary', now.secondary);
  if (secondary !== null && secondary === primary) {
    throw notUsable(asked.secondary ?? secondary, network, 'secondary', 'it is the primary rack already');
  }
  if (primary === null && secondary !== null) return { primary: secondary, secondary: null };
  return { primary, secondary };
}

function notUsable(rack: string, network: Ipv4Network, field: string, why: string): Problem {
  return new Problem('network.no_rack', { rack, cidr: cidrOf(network), why }, { field });
}

/** Addresses of racks in a network, first come first. */
export async function rackAddressesIn(
  trx: Transaction<Tables>,
  network: Ipv4Network,
): Promise<{ rackId: string; address: string }[]> {
  return (await rackAddresses(trx))
    .filter(({ address }) => contains(network, address))
    .map(({ rackId, address }) => ({ rackId, address: formatIpv4(address) }));
}
