import { randomInt } from 'node:crypto';

/** The addresses of one lab: a /24 with the rack at .1, a second one at .2, BMCs from .10, machines from .100, the site's router at .254. */
export interface AddressPlan {
  cidr: string;
  prefixLength: number;
  rack: string;
  secondRack: string;
  router: string;
  bmc(index: number): string;
  dynamic: { start: string; end: string };
}

export function addressPlan(prefix: { second: number; third: number }): AddressPlan {
  const at = (host: number) => `10.${prefix.second}.${prefix.third}.${host}`;
  return {
    cidr: `${at(0)}/24`,
    prefixLength: 24,
    rack: at(1),
    secondRack: at(2),
    router: at(254),
    bmc: (index) => at(10 + index),
    dynamic: { start: at(100), end: at(199) },
  };
}

/** New per run, so that no address can be known beforehand. Nothing outside the lab's namespaces sees it. */
export function randomPrefix(): { second: number; third: number } {
  return { second: randomInt(16, 200), third: randomInt(0, 255) };
}
