import { type BmcServer, startBmcServer } from '@ingot/protocols/ipmi/server.ts';
import { IPMI_PORT } from './address-plan.ts';
import { ofBmc } from './faults.ts';
import type { FleetMachine } from './machine.ts';

/** Puts a machine's IPMI BMC on the network. Rejects when its address is taken. */
export function plugInIpmi(machine: FleetMachine, address: string, seed: number): Promise<BmcServer> {
  const { user: name, password } = machine.hardware.bmc;
  return startBmcServer({
    address,
    port: IPMI_PORT,
    users: [{ name, password, privilege: 'ADMIN' }],
    seed: seed ^ machine.index,
    faults: () => ofBmc(machine.fault),
    chassis: chassisOf(machine),
  });
}

/** The machine as a BMC reaches it; every protocol's simulator takes this shape. */
export function chassisOf(machine: FleetMachine) {
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
