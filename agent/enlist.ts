import type { EnlistReply } from '@ingot/contract/agent.ts';
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
  const facts = await place.facts();
  reporter.say(`inventory: ${seconds().toFixed(1)} s, ${facts.interfaces.length} ports, ${facts.disks.length} disks`);
  return client.enlist({
    architecture: `${debianArchitecture()}/generic`,
    macAddresses: facts.interfaces.map((port) => port.mac),
    hardwareUuid: facts.hardwareUuid,
    bmc: bmc.found ? bmc.report : null,
    inventory,
  });
}
