import { spawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { isFull, noSpace } from './room.ts';

export interface ToolLimits {
  deadlineMs: number;
  /** Largest file that it may write, bytes. */
  fileSize?: number;
  /** Watched while it runs: stopped when less than `reserve` bytes are free there. */
  watch?: { directory: string; reserve: number };
}

/** Memory of a tool that reads a stranger's file. zstd may ask for 128 MiB, xz for more. */
const MEMORY = 2 * 2 ** 30;
const LONGEST_LINE = 16 * 1024;
const MOST_OUTPUT = 1024 * 1024 * 1024;

/**
 * Runs a program on a file that somebody sent: with limits on memory, file size, output and time, in a process group of its own.
 * `onLine` gets the lines of its output, cut at 16 KiB. Throws with the tool's last words, or Problem `image.no_space`.
 */
export async function boundedTool(
  program: string,
  args: readonly string[],
  limits: ToolLimits,
  onLine: (line: string) => void = () => undefined,
): Promise<void> {
  const prlimit = [`--as=${MEMORY}`, ...(limits.fileSize === undefined ? [] : [`--fsize=${limits.fileSize}`])];
  const child = spawn('prlimit', [...prlimit, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    detached: true,
  });
  let why: Error | null = null;
  const stop = (error: Error) => {
    why ??= error;
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It ended by itself between the reason and the kill.
    }
  };
  const timer = setTimeout(() => stop(new Error(`took more than ${limits.deadlineMs / 1000} s`)), limits.deadlineMs);
  const { watch } = limits;
  const watcher =
    watch &&
    setInterval(() => {
      void statfs(watch.directory).then(({ bavail, bsize }) => {
        if (bavail * bsize < watch.reserve) stop(noSpace(watch.directory, 'it was used up while converting'));
      });
    }, 1000);
  let seen = 0;
  const lines = lineSplitter(onLine);
  child.stdout.on('data', (part: Buffer) => {
    seen += part.length;
    if (seen > MOST_OUTPUT) stop(new Error('printed more than 1 GiB'));
    else lines.add(part);
  });
  let words = '';
  child.stderr.on('data', (part: Buffer) => {
    words = (words + part.toString('utf8')).slice(-4000);
  });
  const status = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      words = error.message;
      resolve(127);
    });
    child.on('close', (code) => resolve(code ?? 128));
  });
  clearTimeout(timer);
  clearInterval(watcher);
  lines.end();
  if (why !== null) throw why;
  if (status === 0) return;
  const error = new Error(
    words.trim().split('\n').slice(-3).join(' ').slice(-600) || `${program} ended with ${status}`,
  );
  if (isFull(error)) throw noSpace(watch?.directory ?? '', 'it was used up while converting');
  throw error;
}

function lineSplitter(onLine: (line: string) => void): { add(part: Buffer): void; end(): void } {
  let rest = '';
  return {
    add(part) {
      const lines = (rest + part.toString('latin1')).split('\n');
      rest = (lines.pop() ?? '').slice(0, LONGEST_LINE);
      for (const line of lines) onLine(line);
    },
    end() {
      if (rest !== '') onLine(rest);
    },
  };
}
