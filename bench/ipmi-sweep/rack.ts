import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { BenchContext } from '../harness/bench.ts';
import type { Hall, Sweep } from './order.ts';
import type { RackOrder } from './rack-program.ts';

export interface SweepingRack {
  /** Rejects when it takes more than two minutes. */
  sweep(): Promise<Sweep>;
  stop(): Promise<void>;
}

const LATEST_MS = 120_000;

/** A rack stays up between its sweeps, so it is started once; what it opens for a BMC it closes after each. */
export async function startRack(context: BenchContext, hall: Hall): Promise<SweepingRack> {
  const order: RackOrder = { hall, dir: context.scratch };
  const child = spawn(process.execPath, [context.program('rack'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const killWithUs = () => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = once(child, 'exit').then(() => void process.off('exit', killWithUs));
  const lines = createInterface({ input: child.stdout });
  const line = async (): Promise<string> => {
    const got = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(LATEST_MS) }),
      ended.then(() => null),
    ]);
    if (got === null) throw new Error('the rack program ended');
    return String(got[0]);
  };
  await line();
  return {
    sweep: async () => {
      child.stdin.write('sweep\n');
      // The program prints what its own type says.
      return JSON.parse(await line()) as Sweep;
    },
    stop: async () => {
      child.stdin.end();
      const late = setTimeout(killWithUs, 5000);
      await ended;
      clearTimeout(late);
    },
  };
}
