import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A pid alone may be reused; with its start time (clock ticks since boot, proc(5) field 22) it names one process. */
export interface ProcessIdentity {
  pid: number;
  startTicks: string;
}

export async function identify(pid: number): Promise<ProcessIdentity | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name (field 2) may hold spaces and brackets: count from behind its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = fields[19];
    // A zombie has ended; only its parent has not looked.
    return startTicks === undefined || fields[0] === 'Z' ? null : { pid, startTicks };
  } catch {
    return null;
  }
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTicks === identity.startTicks;
}

/** TERM, then KILL to what is left after `graceMs`; waits at most a second more. */
export async function endProcesses(identities: ProcessIdentity[], graceMs: number): Promise<void> {
  const signal = async (name: 'SIGTERM' | 'SIGKILL') => {
    for (const identity of identities) {
      if (!(await isAlive(identity))) continue;
      try {
        process.kill(identity.pid, name);
      } catch {
        // It ended between the question and the signal.
      }
    }
  };
  const anyAlive = async () => (await Promise.all(identities.map(isAlive))).some(Boolean);
  await signal('SIGTERM');
  const deadline = performance.now() + graceMs;
  while (performance.now() < deadline && (await anyAlive())) await sleep(50);
  await signal('SIGKILL');
  const last = performance.now() + 1000;
  while (performance.now() < last && (await anyAlive())) await sleep(50);
}
