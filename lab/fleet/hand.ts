import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetMachine } from './machine.ts';
import { enlist, nameBmc } from './operator.ts';
import type { Simulation } from './simulation.ts';

/** People of a data centre in the first week: they switch machines on, and take those home that come up. */
export interface Hand {
  /** Machines that have not enlisted yet. */
  left(): number;
  stop(): void;
}

/** The region lets 64 of a VLAN wait to be accepted: more need not try at once. */
const AT_ONCE_A_VLAN = 48;
const PATIENCE_MS = { zero: 30_000, brisk: 90_000, realistic: 900_000 } as const;
/** A machine that the region did not take in is tried again after so long. */
const AGAIN_MS = 5000;

/** Switches all machines on, a few at a time, until each has enlisted. One that does not come up is left standing. */
export function switchOnAll(simulation: Simulation): Hand {
  const { machines } = simulation.fleet;
  let left = machines.length;
  let stopped = false;
  const byVlan = new Map<number, FleetMachine[]>();
  for (const machine of machines) {
    const queue = byVlan.get(machine.vlan.number) ?? [];
    byVlan.set(machine.vlan.number, queue);
    queue.push(machine);
  }
  const walk = async (queue: FleetMachine[]) => {
    for (let machine = queue.shift(); machine !== undefined && !stopped; machine = queue.shift()) {
      if (await comesUp(machine)) left -= 1;
      else if (machine.refusal() !== null) {
        machine.power('off');
        queue.push(machine);
        await sleep(AGAIN_MS);
      }
    }
  };
  async function comesUp(machine: FleetMachine): Promise<boolean> {
    try {
      await enlist(machine, PATIENCE_MS[machine.timing]);
      await nameBmc(simulation, machine);
      return true;
    } catch {
      // Its refusal says why; without one it hangs, and somebody has to look at it.
      return false;
    }
  }
  for (const queue of byVlan.values()) {
    for (let walker = 0; walker < AT_ONCE_A_VLAN; walker += 1) void walk(queue);
  }
  return {
    left: () => left,
    stop: () => {
      stopped = true;
    },
  };
}
