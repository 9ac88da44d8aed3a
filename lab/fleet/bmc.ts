import { startBmcServer } from '@ingot/protocols/ipmi/server.ts';
import { PERSONAS, type PersonaName } from '@ingot/protocols/redfish/persona.ts';
import type { RedfishHost } from '@ingot/protocols/redfish/simulator.ts';
import { IPMI_PORT, REDFISH_PORT } from './address-plan.ts';
import { ofBmc } from './faults.ts';
import type { FleetMachine } from './machine.ts';

export interface PluggedIn {
  close(): Promise<void>;
}

const PERSONA_OF_VENDOR: Readonly<Record<string, PersonaName>> = {
  'Dell Inc.': 'dell',
  HPE: 'hpe',
  Supermicro: 'supermicro',
  Lenovo: 'lenovo',
};

/** Puts a machine's BMC on the network, of its own kind. Rejects when its address is taken. */
export function plugIn(machine: FleetMachine, address: string, seed: number, redfish: RedfishHost): Promise<PluggedIn> {
  const { hardware } = machine;
  const { user: name, password, kind } = hardware.bmc;
  const chassis = chassisOf(machine);
  if (kind === 'redfish') {
    const persona = PERSONAS[PERSONA_OF_VENDOR[hardware.model.vendor] ?? 'generic'];
    return redfish.serve({
      address,
      port: REDFISH_PORT,
      users: [{ name, password }],
      systems: [{ id: '1', uuid: hardware.uuid, chassis, persona }],
      // It is spoken over TCP, which makes up for lost packets by itself.
      faults: () => ofBmc(machine.fault),
    });
  }
  return startBmcServer({
    address,
    port: IPMI_PORT,
    users: [{ name, password, privilege: 'ADMIN' }],
    seed: seed ^ machine.index,
    faults: () => ofBmc(machine.fault),
    chassis,
  });
}

/** The machine as a BMC reaches it, by whatever protocol. */
function chassisOf(machine: FleetMachine) {
  return {
    status: () => ({ on: machine.isOn() }),
    control(action: 'off' | 'on' | 'cycle' | 'reset' | 'diagnostic' | 'soft'): void {
      switch (action) {
        case 'on':
        case 'off':
          machine.power(action);
          return;
        case 'cycle':
        case 'reset':
          if (machine.isOn()) machine.power('reset');
          return;
        case 'soft':
          machine.power('soft-off');
          return;
        case 'diagnostic':
          // An interrupt for a debugger that nobody runs.
          return;
      }
    },
    setBoot(boot: { device: string } | null): void {
      const device = boot?.device;
      machine.bootNext(device === 'pxe' ? 'network' : device === 'disk' ? 'disk' : null);
    },
  };
}
