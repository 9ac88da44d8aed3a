import { createRedfishHost, makeCertificate } from '@ingot/protocols/redfish/simulator.ts';
import type { AddressPlan, VlanPlan } from './address-plan.ts';
import { type PluggedIn, plugIn } from './bmc.ts';
import { type FaultPlan, faultOf } from './faults.ts';
import type { ForeignDhcp } from './foreign-dhcp.ts';
import { rollFleetHardware } from './hardware.ts';
import { createFleetMachine, type FleetMachine, type Site } from './machine.ts';
import type { Timing } from './timing.ts';

/** All machines of a simulated data centre, their BMCs on the network, switched off. */
export interface Fleet {
  seed: number;
  plan: AddressPlan;
  machines: FleetMachine[];
  /** Lets the faults come true and gives every machine its pace. */
  unleash(faults: FaultPlan, timing: Timing): void;
  stop(): Promise<void>;
}

export interface FleetOptions {
  seed: number;
  machines: number;
  /** Share of machines whose BMC speaks Redfish, 0 … 1; the others speak IPMI. */
  redfish: number;
  plan: AddressPlan;
  httpPort: number;
  dhcp: ForeignDhcp;
  /** The region's number for each VLAN's subnet, by its CIDR. */
  subnetIds: ReadonlyMap<string, number>;
}

const BINDS_AT_ONCE = 100;

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { seed, plan, dhcp, subnetIds } = options;
  const site: Site = {
    seed,
    plan,
    httpPort: options.httpPort,
    lease: async (mac: string, address: string, vlan: VlanPlan) => {
      const subnetId = subnetIds.get(vlan.cidr);
      if (subnetId === undefined) throw new Error(`the region does not know ${vlan.cidr}`);
      await dhcp.give(mac, address, subnetId);
    },
  };
  const machines = Array.from({ length: options.machines }, (_, at) => {
    const index = at + 1;
    return createFleetMachine(site, rollFleetHardware(seed, index, plan.vlanOf(index).number, options.redfish), null);
  });
  const redfish = createRedfishHost(await makeCertificate());
  const bmcs: PluggedIn[] = [];
  const stop = async () => {
    // Each machine's end waits for what runs in it; what went wrong there is told after all are down.
    const ends = await Promise.allSettled(machines.map((machine) => machine.stop()));
    await Promise.all(bmcs.map((bmc) => bmc.close()));
    await redfish.close();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  };
  try {
    for (let from = 0; from < machines.length; from += BINDS_AT_ONCE) {
      const some = machines.slice(from, from + BINDS_AT_ONCE);
      bmcs.push(...(await Promise.all(some.map((each) => plugIn(each, plan.bmcAddress(each.index), seed, redfish)))));
    }
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return {
    seed,
    plan,
    machines,
    unleash(faults, timing) {
      for (const machine of machines) {
        machine.fault = faultOf(faults, seed, machine.index);
        machine.timing = timing;
      }
    },
    stop,
  };
}
