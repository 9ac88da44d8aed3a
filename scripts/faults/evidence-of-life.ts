import { ApiRefusal, type NativeClient } from '@ingot/lab/story/native-client.ts';
import type { Life, LivingMachine, LivingSite } from './lifecycle.ts';

/** Attempts that the region keeps of a machine. */
const KEPT = 20;

/** What is not as it must be after lives among faults; empty when all is well. */
export async function whatIsLost<M extends LivingMachine>(
  site: LivingSite<M>,
  lives: readonly Life<M>[],
): Promise<string[]> {
  const lost: string[] = [];
  for (const { machine, attempts } of lives) {
    const seen = await site.find(machine);
    if (!seen) {
      lost.push(`machine ${machine.index} is gone`);
      continue;
    }
    const kept = await site.api.attempts(seen.systemId);
    for (const { id, kind } of attempts.slice(-KEPT + 1)) {
      if (!kept.some((one) => one.id === id && one.kind === kind)) {
        lost.push(`machine ${machine.index}: its ${kind} (attempt ${id}), which was acknowledged, is gone`);
      }
    }
    const open = kept.filter(({ endedAt }) => endedAt === null);
    if (open.length > 0) lost.push(`machine ${machine.index}: ${open.length} attempts are still open`);
  }
  return lost;
}

/** Power-ons beyond one for the enlistment and one for each attempt that needs the power; never negative. */
export function powerOnsTooMany({ machine, attempts }: Life): number {
  return Math.max(0, machine.powerOns() - 1 - attempts.filter(({ kind }) => kind !== 'release').length);
}

/** Writes accounts, one after another, and remembers which ones were acknowledged. */
export interface Diary {
  acknowledged: string[];
  end(): Promise<void>;
}

export function keepDiary(api: NativeClient, everyMs: number): Diary {
  const acknowledged: string[] = [];
  let stopped = false;
  async function write(): Promise<void> {
    for (let page = 1; !stopped; page += 1) {
      const name = `page-${page}`;
      // While nobody answers nothing is acknowledged, and nothing is owed.
      const taken = await api.createUser(name, `${name}-password`, false).then(
        () => true,
        () => false,
      );
      if (taken) acknowledged.push(name);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
  const written = write();
  return {
    acknowledged,
    end: () => {
      stopped = true;
      return written;
    },
  };
}

/** Pages that were acknowledged and are not there: writing such a page again is not refused. */
export async function lostPages(api: NativeClient, { acknowledged }: Diary): Promise<string[]> {
  const lost: string[] = [];
  for (const name of acknowledged) {
    try {
      await api.createUser(name, 'again-password', false);
      lost.push(name);
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.code !== 'user.exists') throw error;
    }
  }
  return lost;
}
