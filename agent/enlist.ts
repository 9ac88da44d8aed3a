import type { EnlistReply } from '@ingot/contract/agent.ts';
import { hardwareUuid } from '@ingot/core/hardware/dmi.ts';
import { interfacesFromInventory } from '@ingot/core/hardware/interfaces.ts';
import { configureBmc, DEFAULT_BMC_SETTINGS } from './bmc.ts';
import { debianArchitecture } from './inventory.ts';
import type { Workplace } from './tasks.ts';

/** Tell the region what this machine is and how its power is switched. Inventory and BMC are worked on at the same time. */
export async function enlist({ client, reporter, ...place }: Workplace): Promise<EnlistReply> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  reporter.report({ kind: 'step', name: 'inventory', state: 'started' });
  const [inventory, bmc] = await Promise.all([place.inventory(), configureBmc(DEFAULT_BMC_SETTINGS)]);
  reporter.report({ kind: 'step', name: 'inventory', state: 'finished', seconds: seconds() });
  const ports = interfacesFromInventory(inventory, reporter.say);
  reporter.say(`inventory: ${seconds().toFixed(1)} s, ${ports.length} ports`);
  return client.enlist({
    architecture: `${debianArchitecture()}/generic`,
    macAddresses: ports.map((port) => port.mac),
    hardwareUuid: hardwareUuid(inventory.dmi),
    bmc: bmc.found ? bmc.report : null,
    inventory,
  });
}
