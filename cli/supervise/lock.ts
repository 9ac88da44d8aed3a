import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliFailure, EXIT } from '../failure.ts';

export interface StateLock {
  release(): void;
}

export function lockFileOf(stateDir: string): string {
  return path.join(stateDir, 'run', 'up.lock');
}

/** Claims a state directory for this process; refuses while another one holds it, and says which. */
export function lockState(stateDir: string): StateLock {
  const file = lockFileOf(stateDir);
  mkdirSync(path.dirname(file), { recursive: true });
  // Twice: a lock of a dead process is removed once, then somebody else may have been quicker.
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      writeFileSync(file, `${process.pid} ${startTime(process.pid)}\n`, { flag: 'wx', mode: 0o644 });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = holderOf(stateDir);
    if (holder !== null) {
      throw new CliFailure(`process ${holder} already runs Ingot in ${stateDir}`, {
        exitCode: EXIT.refused,
        fix: `stop it (kill ${holder}), or choose another directory: --state DIR`,
      });
    }
    rmSync(file, { force: true });
  }
  throw new CliFailure(`${file} cannot be taken: others are starting here too`, { exitCode: EXIT.refused });
}

/** Pid of the living process that holds the directory; null when nobody does. */
export function holderOf(stateDir: string): number | null {
  let text: string;
  try {
    text = readFileSync(lockFileOf(stateDir), 'utf8');
  } catch {
    return null;
  }
  const [pid = '', started = ''] = text.trim().split(' ');
  // A pid is used again after a reboot: only the same start time is the same process.
  return /^\d+$/.test(pid) && started !== '' && startTime(Number(pid)) === started ? Number(pid) : null;
}

/** Field 22 of /proc/PID/stat, clock ticks after boot; empty for no such process. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold blanks.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
