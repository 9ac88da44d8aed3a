import type { BmcReport, Inventory } from '@ingot/contract/agent.ts';
import type { Faults } from './faults.ts';
import type { Answer, ForwardRequest } from './forward.ts';
import type { Refused } from './region-calls.ts';

/** What a machine shows to the programs that run on it. */
export interface Visible {
  firmware: 'bios' | 'uefi';
  serial: string;
  uuid: string;
  macs: [string, ...string[]];
  /** Of all disks together. */
  diskBytes: number;
  inventory(): Inventory;
  /** What a script of that name prints; null: nothing of interest. */
  scriptOutput(name: string): string | null;
  /** Null where the BMC cannot be asked from inside. */
  bmc: BmcReport | null;
}

/** What runs inside a machine between one power-on and the next: its network, its own nature, and the end of its power. */
export interface Boot {
  /** A request to the rack: /agent/… to its agent server, all else to its boot server. Rejects when it cannot be reached. */
  forward(request: Omit<ForwardRequest, 'client'>): Promise<Answer>;
  visible: Visible;
  faults(): Faults;
  /** A step of work called `what`, by default of the machine's usual pace. Throws when the power goes. */
  pause(what?: string): Promise<void>;
  /** Told when the region refused for good; the agent then stays up until somebody switches it off. */
  onRefused?(refused: Refused): void;
  /** A new process of the agent: aborted when that is killed, or the power goes. Without it nobody kills agents here. */
  startAgent?(): AbortSignal;
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
