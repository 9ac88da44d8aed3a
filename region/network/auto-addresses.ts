import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { Transaction } from 'kysely';
import { Refused } from '../lifecycle/refused.ts';
import type { Tables } from '../store/schema.ts';
import { nextFreeAddress, subnetSpace } from './free-addresses.ts';
import { formatSpan, single } from './spans.ts';

/**
 * Gives each automatic link of the machine's enabled interfaces an address, where it has none. The subnets' rows are
 * locked, so two claims in one subnet wait for each other; the exclusion constraint stands behind that.
 * Throws Refused when a subnet is full.
 */
export async function claimAddresses(trx: Transaction<Tables>, machineId: number): Promise<void> {
  const links = await trx
    .selectFrom('interface_links as l')
    .innerJoin('interfaces as i', 'i.id', 'l.interface_id')
    .select(['l.id', 'l.subnet_id'])
    .where('i.machine_id', '=', machineId)
    .where('i.enabled', '=', true)
    .where('l.mode', '=', 'auto')
    .where('l.address_id', 'is', null)
    .where('l.subnet_id', 'is not', null)
    .orderBy('l.id')
    .execute();
  const subnetIds = [...new Set(links.flatMap((link) => (link.subnet_id === null ? [] : [link.subnet_id])))];
  if (subnetIds.length === 0) return;
  await trx.selectFrom('subnets').select('id').where('id', 'in', subnetIds).orderBy('id').forUpdate().execute();
  for (const link of links) {
    if (link.subnet_id === null) continue;
    const addressId = await allocateAddress(trx, link.subnet_id, 'auto', null);
    await trx.updateTable('interface_links').set({ address_id: addressId }).where('id', '=', link.id).execute();
  }
}

/**
 * Takes the next free address of a subnet and returns the id of its span. Lock the subnet's row before. Throws Refused
 * when the subnet is full.
 */
async function allocateAddress(
  trx: Transaction<Tables>,
  subnetId: number,
  kind: 'auto' | 'sticky' | 'user-reserved',
  userId: number | null,
): Promise<number> {
  const space = await subnetSpace(trx, subnetId);
  const address = space === null ? null : nextFreeAddress(space);
  if (space === null || address === null) {
    const subnet = await trx.selectFrom('subnets').select('cidr').where('id', '=', subnetId).executeTakeFirst();
    throw new Refused(refusal('net.ip_exhausted', { subnet: subnet?.cidr ?? subnetId }));
  }
  const row = await trx
    .insertInto('address_spans')
    .values({ subnet_id: subnetId, span: formatSpan(single(address)), kind, user_id: userId })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

/** Takes the addresses of the machine's automatic links back; the links stay. */
export async function releaseAddresses(trx: Transaction<Tables>, machineId: number): Promise<void> {
  const links = await trx
    .selectFrom('interface_links as l')
    .innerJoin('interfaces as i', 'i.id', 'l.interface_id')
    .select('l.address_id')
    .where('i.machine_id', '=', machineId)
    .where('l.mode', '=', 'auto')
    .where('l.address_id', 'is not', null)
    .execute();
  const ids = links.flatMap((link) => (link.address_id === null ? [] : [link.address_id]));
  // The link's reference becomes null by the foreign key.
  if (ids.length > 0) await trx.deleteFrom('address_spans').where('id', 'in', ids).execute();
}
