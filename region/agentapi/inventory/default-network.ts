import type { Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { readSettings } from '../../store/settings.ts';
import { subnetOf } from '../machine-rows.ts';
import type { StoredInterface } from './interfaces.ts';

async function forgetLinks(trx: Transaction<Tables>, machineId: number): Promise<void> {
  const interfaces = trx.selectFrom('interfaces').select('id').where('machine_id', '=', machineId);
  const gone = await trx
    .deleteFrom('interface_links')
    .where('interface_id', 'in', interfaces)
    .returning('address_id')
    .execute();
  const spans = gone.flatMap(({ address_id }) => (address_id === null ? [] : [address_id]));
  if (spans.length > 0) await trx.deleteFrom('address_spans').where('id', 'in', spans).execute();
}

/** The subnet that the boot interface was seen in, else the first of its VLAN. */
async function bootSubnet(
  trx: Transaction<Tables>,
  boot: StoredInterface,
  address: string | null,
): Promise<number | null> {
  const seen = address === null ? null : await subnetOf(trx, address);
  if (seen) return seen.id;
  if (boot.vlanId === null) return null;
  const first = await trx
    .selectFrom('subnets')
    .select('id')
    .where('vlan_id', '=', boot.vlanId)
    .orderBy('id')
    .executeTakeFirst();
  return first?.id ?? null;
}

/**
 * The network that a machine gets after commissioning: the boot interface linked to the subnet it booted from (by DHCP
 * when that is unknown), every other enabled interface just up.
 */
export async function applyDefaultNetwork(
  trx: Transaction<Tables>,
  machineId: number,
  interfaces: readonly StoredInterface[],
  address: string | null,
): Promise<void> {
  await forgetLinks(trx, machineId);
  const boot = interfaces.find((entry) => entry.boot) ?? interfaces[0];
  const { default_boot_interface_link_type: wanted } = await readSettings(trx);
  for (const entry of interfaces.filter(({ enabled }) => enabled)) {
    const subnetId = entry === boot ? await bootSubnet(trx, entry, address) : null;
    // `static` without an address would claim one that nobody chose: that is what `auto` is for.
    const onBoot = wanted === 'static' ? 'auto' : wanted;
    const mode = entry !== boot ? 'link_up' : subnetId === null && onBoot === 'auto' ? 'dhcp' : onBoot;
    await trx
      .insertInto('interface_links')
      .values({ interface_id: entry.id, mode, subnet_id: mode === 'auto' ? subnetId : null })
      .execute();
  }
}
