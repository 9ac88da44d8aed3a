import type { InterfaceFact } from '@ingot/core/hardware/interfaces.ts';
import { sql, type Transaction } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { subnetOf } from '../machine-rows.ts';

export interface StoredInterface {
  id: number;
  mac: string;
  vlanId: number | null;
  enabled: boolean;
  boot: boolean;
}

/** Where an interface hangs: as known before, else by an address it has in a known subnet. */
async function vlanOf(
  trx: Transaction<Tables>,
  fact: InterfaceFact,
  known: number | null,
  bootAddress: string | null,
): Promise<number | null> {
  if (known !== null) return known;
  const addresses = fact.addresses.map(({ address }) => address);
  for (const address of bootAddress === null ? addresses : [bootAddress, ...addresses]) {
    const subnet = await subnetOf(trx, address);
    if (subnet) return subnet.vlanId;
  }
  return null;
}

/**
 * Makes the machine's physical interfaces those that it reports, keyed by MAC. A MAC that another machine had moves here:
 * the card was moved. Virtual interfaces on top stay as they are. Sets the boot interface.
 */
export async function applyInterfaces(
  trx: Transaction<Tables>,
  machineId: number,
  facts: readonly InterfaceFact[],
  boot: { mac: string; address: string | null },
): Promise<StoredInterface[]> {
  if (facts.length === 0) return [];
  const macs = facts.map(({ mac }) => mac);
  await trx
    .deleteFrom('interfaces')
    .where('type', '=', 'physical')
    .where((eb) =>
      eb.or([
        eb.and([eb('machine_id', '=', machineId), eb.or([eb('mac', 'is', null), eb('mac', 'not in', macs)])]),
        eb.and([eb('machine_id', '<>', machineId), eb('mac', 'in', macs)]),
      ]),
    )
    .execute();
  const before = await trx
    .selectFrom('interfaces')
    .select(['id', 'mac', 'vlan_id', 'enabled'])
    .where('machine_id', '=', machineId)
    .where('type', '=', 'physical')
    .execute();
  // Names may have been swapped; a name is free only once nobody has it.
  await trx
    .updateTable('interfaces')
    .set({ name: sql<string>`'old-' || id` })
    .where('machine_id', '=', machineId)
    .where('type', '=', 'physical')
    .execute();
  const stored: StoredInterface[] = [];
  for (const fact of facts) {
    const known = before.find((row) => row.mac === fact.mac);
    const isBoot = fact.mac === boot.mac;
    const vlanId = await vlanOf(trx, fact, known?.vlan_id ?? null, isBoot ? boot.address : null);
    const values = {
      name: fact.name,
      vlan_id: vlanId,
      vendor: fact.vendor,
      product: fact.product,
      firmware_version: fact.firmwareVersion,
      link_connected: fact.linkConnected,
      link_speed: fact.linkSpeed,
      interface_speed: fact.interfaceSpeed,
    };
    const { id, enabled } = known
      ? await trx
          .updateTable('interfaces')
          .set(values)
          .where('id', '=', known.id)
          .returning(['id', 'enabled'])
          .executeTakeFirstOrThrow()
      : await trx
          .insertInto('interfaces')
          .values({ ...values, machine_id: machineId, mac: fact.mac })
          .returning(['id', 'enabled'])
          .executeTakeFirstOrThrow();
    stored.push({ id, mac: fact.mac, vlanId, enabled, boot: isBoot });
  }
  const bootInterface = stored.find((entry) => entry.boot)?.id ?? stored[0]?.id ?? null;
  await trx.updateTable('machines').set({ boot_interface_id: bootInterface }).where('id', '=', machineId).execute();
  return stored;
}
