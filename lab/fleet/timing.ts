import type { Dice } from '../sim/dice.ts';

/** `zero`: as fast as the wire and Ingot allow. `realistic`: as servers of a data centre take. `brisk`: a tenth of that. */
export type Timing = 'zero' | 'brisk' | 'realistic';

const SECOND = 1000;

/** Least and most milliseconds of what a machine does; every other script or step takes `OTHER`. */
const REALISTIC: Readonly<Record<string, readonly [number, number]>> = {
  firmware: [40 * SECOND, 90 * SECOND],
  dhcp: [SECOND, 4 * SECOND],
  'boot-program': [500, 2 * SECOND],
  kernel: [2 * SECOND, 8 * SECOND],
  agent: [8 * SECOND, 20 * SECOND],
  task: [50, 200],
  '30-maas-01-bmc-config': [3 * SECOND, 8 * SECOND],
  inventory: [4 * SECOND, 16 * SECOND],
  'smartctl-validate': [SECOND, 5 * SECOND],
  filesystems: [2 * SECOND, 6 * SECOND],
  // Each of its five parts.
  image: [3 * SECOND, 8 * SECOND],
  erase: [10 * SECOND, 40 * SECOND],
  'boot-loader': [3 * SECOND, 8 * SECOND],
  sync: [2 * SECOND, 8 * SECOND],
  'cloud-init': [8 * SECOND, 25 * SECOND],
  shutdown: [3 * SECOND, 10 * SECOND],
  reset: [SECOND, 3 * SECOND],
};
const OTHER = [200, 2 * SECOND] as const;
/** A slow disk is slow even where nothing else takes time. */
const SLOW_PART_MS = 100;
const BRISK = 10;

/** Milliseconds that `what` takes this time. */
export function duration(timing: Timing, what: string, slow: boolean, dice: Dice): number {
  if (timing === 'zero') return slow && (what === 'image' || what === 'erase') ? SLOW_PART_MS : 0;
  const [low, high] = REALISTIC[what] ?? OTHER;
  return dice.between(low, high) / (timing === 'brisk' ? BRISK : 1);
}
