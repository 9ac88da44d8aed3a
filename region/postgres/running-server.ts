import { readFileSync } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

/**
 * True while a process with this id runs, whoever owns it. One that has ended counts as gone also while nobody has taken
 * its exit status: the first process of a container often never does.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** proc(5): the state follows the name in parentheses, which itself may hold any character. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/**
 * The server that postmaster.pid of a data directory names: 'none' (no file), 'stale' (its process is gone, or the
 * number now belongs to something else), or the process id.
 */
export async function runningServer(dataDir: string): Promise<number | 'none' | 'stale'> {
  const text = await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return 'none';
  const [pidText, directory] = text.split('\n');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return 'stale';
  const program = await readlink(`/proc/${pid}/exe`).catch(() => null);
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  // A server's working directory is its data directory; after a reboot the number can be anybody's.
  const ours = program !== null && path.basename(program) === 'postgres' && workingDirectory === directory;
  return ours ? pid : 'stale';
}

/** Waits until the process is gone; false when it still lives after `timeoutMs`. */
export async function waitGone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
