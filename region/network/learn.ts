import { RackInterface } from '@ingot/contract/rack.ts';
import type { Ipv4Network } from '@ingot/core/network/address.ts';
import type { Transaction } from 'kysely';
import * as z from 'zod';
import type { RegionDeps } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { cidrOf, networkAround } from './spans.ts';

/** Every host has it; a part of it that a rack was told to serve (simulated machines) is another matter. */
const LOOPBACK = '127.0.0.0/8';
const LINK_LOCAL = '169.254.0.0/16';

/** The subnet's id and VLAN; made in a fabric of its own, DHCP off, when it is not known yet. */
export async function ensureSubnet(
  trx: Transaction<Tables>,
  network: Ipv4Network,
): Promise<{ id: number; vlanId: number; isNew: boolean }> {
  const cidr = cidrOf(network);
  const known = await trx.selectFrom('subnets').select(['id', 'vlan_id']).where('cidr', '=', cidr).executeTakeFirst();
  if (known) return { id: known.id, vlanId: known.vlan_id, isNew: false };
  const vlanId = (await unusedDefaultVlan(trx)) ?? (await newVlan(trx));
  const { id } = await trx
    .insertInto('subnets')
    .values({ name: cidr, cidr, vlan_id: vlanId })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, vlanId, isNew: true };
}

/** The first network gets fabric-0's own VLAN, as long as nothing else is in it. */
async function unusedDefaultVlan(trx: Transaction<Tables>): Promise<number | null> {
  const vlan = await trx
    .selectFrom('vlans as v')
    .select('v.id')
    .where('v.fabric_id', '=', 0)
    .where('v.vid', '=', 0)
    .where((eb) =>
      eb.and([
        eb.not(eb.exists(eb.selectFrom('subnets as s').select('s.id').whereRef('s.vlan_id', '=', 'v.id'))),
        eb.not(eb.exists(eb.selectFrom('interfaces as i').select('i.id').whereRef('i.vlan_id', '=', 'v.id'))),
      ]),
    )
    .forUpdate()
    .executeTakeFirst();
  return vlan?.id ?? null;
}

async function newVlan(trx: Transaction<Tables>): Promise<number> {
  const fabric = await trx.insertInto('fabrics').values({ name: null }).returning('id').executeTakeFirstOrThrow();
  await trx
    .updateTable('fabrics')
    .set({ name: `fabric-${fabric.id}` })
    .where('id', '=', fabric.id)
    .execute();
  const vlan = await trx
    .insertInto('vlans')
    .values({ fabric_id: fabric.id, vid: 0, name: 'untagged' })
    .returning('id')
    .executeTakeFirstOrThrow();
  return vlan.id;
}

/**
 * Learns the networks that a rack stands in: unknown ones become fabric, VLAN and subnet with DHCP off. The rack becomes
 * primary of a VLAN that has none.
 */
export async function registerRackInterfaces(
  deps: Pick<RegionDeps, 'db' | 'changes'>,
  rackId: string,
  interfaces: readonly RackInterface[],
): Promise<void> {
  const networks = interfaces
    .filter((card) => card.up)
    .flatMap((card) => card.addresses.map(networkAround))
    .filter((network) => network !== null)
    .filter((network) => network.prefix < 31 && cidrOf(network) !== LOOPBACK && !isInside(network, LINK_LOCAL));
  let changed = false;
  await deps.db.transaction().execute(async (trx) => {
    for (const network of networks) {
      const subnet = await ensureSubnet(trx, network);
      const took = await takePlace(trx, subnet.vlanId, rackId, interfaces);
      changed ||= subnet.isNew || took;
    }
    if (changed) await trx.insertInto('changes').values({ kind: 'network', key: rackId }).execute();
  });
  if (changed) deps.changes.announce();
}

/**
 * A VLAN without a primary gets this rack. One whose rack is gone, or had one of this rack's very addresses, gets it too: the
 * same host, set up anew under another id. True when something changed.
 */
async function takePlace(
  trx: Transaction<Tables>,
  vlanId: number,
  rackId: string,
  interfaces: readonly RackInterface[],
): Promise<boolean> {
  const vlan = await trx
    .selectFrom('vlans')
    .select(['primary_rack', 'secondary_rack'])
    .where('id', '=', vlanId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const { primary_rack: primary, secondary_rack: secondary } = vlan;
  if (primary === rackId || secondary === rackId) return false;
  const mine = interfaces.flatMap(({ addresses }) => addresses);
  const replaced = async (rack: string): Promise<boolean> => {
    const row = await trx.selectFrom('racks').select('interfaces').where('system_id', '=', rack).executeTakeFirst();
    const before = z.array(RackInterface).safeParse(row?.interfaces).data ?? [];
    return row === undefined || before.some(({ addresses }) => addresses.some((address) => mine.includes(address)));
  };
  const field =
    primary === null || (await replaced(primary))
      ? ('primary_rack' as const)
      : secondary !== null && (await replaced(secondary))
        ? ('secondary_rack' as const)
        : null;
  if (field === null) return false;
  await trx
    .updateTable('vlans')
    .set({ [field]: rackId })
    .where('id', '=', vlanId)
    .execute();
  return true;
}

function isInside(network: Ipv4Network, cidr: string): boolean {
  const outer = networkAround(cidr);
  return outer !== null && network.base >= outer.base && network.last <= outer.last;
}
