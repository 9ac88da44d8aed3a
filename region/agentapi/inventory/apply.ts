import type { HardwareFacts } from '@ingot/core/hardware/facts.ts';
import { sql, type Transaction } from 'kysely';
import { expandStorageResults } from '../../lifecycle/effects/script-sets.ts';
import { markMachines } from '../../store/mark.ts';
import type { Tables } from '../../store/schema.ts';
import { applyDefaultNetwork } from './default-network.ts';
import { applyDefaultStorage } from './default-storage.ts';
import { applyDisks } from './disks.ts';
import { applyInterfaces } from './interfaces.ts';
import { applyTag } from './tags.ts';

export interface InventoryTarget {
  machineId: number;
  systemId: string;
  /** Address from which the machine reports; its subnet is the boot interface's. Null when it came directly. */
  address: string | null;
  /** MAC that the boot ticket was made for, when the kernel command line names none. */
  bootMac: string;
  skipNetworking: boolean;
  skipStorage: boolean;
}

/** Two machines with one UUID (a board maker's mistake) are told apart by neither. */
async function claimUuid(trx: Transaction<Tables>, machineId: number, uuid: string | null): Promise<string | null> {
  if (uuid === null) return null;
  const twins = await trx
    .updateTable('machines')
    .set({ hardware_uuid: null })
    .where('hardware_uuid', '=', uuid)
    .where('id', '<>', machineId)
    .returning('id')
    .execute();
  return twins.length > 0 ? null : uuid;
}

async function applyMachine(trx: Transaction<Tables>, machineId: number, facts: HardwareFacts): Promise<void> {
  const uuid = await claimUuid(trx, machineId, facts.hardwareUuid);
  await trx
    .updateTable('machines')
    .set((eb) => ({
      cpu_count: facts.cpuCount,
      cpu_speed: facts.cpuSpeedMhz,
      memory: facts.memoryMib,
      hardware_uuid: uuid,
      hardware_info: JSON.stringify(facts.hardwareInfo),
      numa_nodes: JSON.stringify(facts.numaNodes),
      bios_boot_method: facts.firmware === 'uefi' ? 'uefi' : 'pxe',
      version: eb('version', '+', 1),
      updated: sql<Date>`now()`,
    }))
    .where('id', '=', machineId)
    .execute();
}

/**
 * Stores what the machine says it is: processor, memory, interfaces, disks, and on them the default network and storage
 * layout unless they are to be left alone. The machine's row must be locked by the caller.
 */
export async function applyInventory(
  trx: Transaction<Tables>,
  target: InventoryTarget,
  facts: HardwareFacts,
): Promise<void> {
  const { machineId, systemId } = target;
  await applyMachine(trx, machineId, facts);
  await applyTag(trx, machineId, 'virtual', facts.virtual);
  if (!target.skipNetworking) {
    const boot = { mac: facts.bootMac ?? target.bootMac, address: target.address };
    const interfaces = await applyInterfaces(trx, machineId, facts.interfaces, boot);
    await applyDefaultNetwork(trx, machineId, interfaces, target.address);
  }
  if (!target.skipStorage) {
    const disks = await applyDisks(trx, machineId, facts.disks);
    await applyDefaultStorage(trx, machineId, disks, facts.firmware);
    await expandStorageResults(trx, machineId);
  }
  await markMachines(trx, [{ id: machineId, systemId }]);
}
