import { execFile, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; at most `timeoutMs` and 16 MiB of output. Throws only when it cannot be started. */
export function tryCommand(argv: string[], timeoutMs = 30_000, input?: string): Promise<CommandResult> {
  const [program = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = execFile(program, rest, { timeout: timeoutMs, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number' && !error.killed) {
        reject(new Error(`${program}: ${error.message}`));
        return;
      }
      const code = error ? (typeof error.code === 'number' ? error.code : 124) : 0;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.on('error', () => {
      // The program ended without reading its input; its exit code says the rest.
    });
    child.stdin?.end(input ?? '');
  });
}

/** Runs a program that has to succeed; returns what it printed. */
export async function command(argv: string[], timeoutMs = 30_000): Promise<string> {
  const result = await tryCommand(argv, timeoutMs);
  if (result.code !== 0) {
    throw new Error(`${argv.join(' ')}: exit ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`);
  }
  return result.stdout;
}

/** Starts a program in a session of its own, outliving us; its output is appended to `logFile`. Returns its pid. */
export async function startDaemon(argv: string[], logFile: string): Promise<number> {
  const [program = '', ...rest] = argv;
  const log = await open(logFile, 'a');
  try {
    const child = spawn(program, rest, { detached: true, stdio: ['ignore', log.fd, log.fd] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    if (child.pid === undefined) throw new Error(`${program} has no pid`);
    return child.pid;
  } finally {
    await log.close();
  }
}
