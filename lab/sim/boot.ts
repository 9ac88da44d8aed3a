import type { Faults } from './faults.ts';
import type { SimulatedHardware } from './hardware.ts';
import type { SimulatedRack } from './rack.ts';

/** What runs inside a machine between one power-on and the next: its network, its own nature, and the end of its power. */
export interface Boot {
  rack: SimulatedRack;
  hardware: SimulatedHardware;
  bmc: { address: string; user: string; password: string };
  /** Leased, with the MAC that holds it. */
  client: { address: string; mac: string };
  faults(): Faults;
  /** A step of work; its length is the machine's pace. Throws when the power goes. */
  pause(): Promise<void>;
  /** Aborted when the power goes. */
  signal: AbortSignal;
}

/** Thrown out of whatever ran when the power went. */
export class PowerGone extends Error {}

/** Resolves after `ms`; throws PowerGone as soon as the power goes. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new PowerGone());
    const gone = () => {
      clearTimeout(timer);
      reject(new PowerGone());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', gone);
      resolve();
    }, ms);
    signal.addEventListener('abort', gone, { once: true });
  });
}

/** Does nothing until the power goes. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) return reject(new PowerGone());
    signal.addEventListener('abort', () => reject(new PowerGone()), { once: true });
  });
}

export async function hangIf(wanted: boolean, signal: AbortSignal): Promise<void> {
  if (wanted) await hang(signal);
}
