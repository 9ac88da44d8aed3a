import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunOptions {
  /** Called with every line of both streams. */
  onLine?: (line: string) => void;
  cwd?: string;
  env?: Record<string, string>;
  /** Killed after this long; package work over a slow mirror takes long. */
  deadlineMs?: number;
}

const KEPT_LINES = 30;

/** Run a program; resolves with its standard output's and error's last lines, rejects with them when it fails. */
export function run(program: string, args: string[], options: RunOptions = {}): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const tail: string[] = [];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', ...options.env },
    });
    const deadlineMs = options.deadlineMs ?? 30 * 60_000;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadlineMs);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        tail.push(line);
        if (tail.length > KEPT_LINES) tail.shift();
        options.onLine?.(line);
      });
    }
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${program}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(tail);
      const how = late ? `took more than ${deadlineMs / 1000} s` : `ended with ${code ?? signal}`;
      reject(new Error(`${program} ${how}:\n${tail.join('\n')}`));
    });
  });
}
