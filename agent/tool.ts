import { spawn } from 'node:child_process';

export interface ToolRun {
  /** 124 when the deadline passed, 127 when there is no such program. */
  exitStatus: number;
  timedOut: boolean;
  stdout: string;
  stderr: string;
  /** Both streams in the order they came. */
  combined: string;
  seconds: number;
}

export interface ToolOptions {
  /** Every program has a deadline; 0 means one day. */
  timeoutSeconds?: number;
  env?: Record<string, string>;
  cwd?: string;
  /** Called with what the program prints, as it comes. */
  onText?: (text: string) => void;
  /** Bytes kept of each stream; longer output keeps its head and its tail. */
  keep?: number;
  input?: string;
}

/** With the note of what was left out still within the 1 MiB that the contract takes of each stream. */
const KEPT = 1024 * 1024 - 256;
const DAY_SECONDS = 86_400;

/** Run a program of the ephemeral system to its end. Never rejects. */
export function runTool(program: string, args: string[], options: ToolOptions = {}): Promise<ToolRun> {
  return new Promise((resolve) => {
    const start = performance.now();
    const keep = options.keep ?? KEPT;
    const [stdout, stderr, combined] = [cappedText(keep), cappedText(keep), cappedText(keep)];
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
      cwd: options.cwd,
      detached: true,
    });
    let timedOut = false;
    const limit = (options.timeoutSeconds || DAY_SECONDS) * 1000;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, limit);
    const take = (own: CappedText) => (part: Buffer) => {
      own.add(part);
      combined.add(part);
      options.onText?.(part.toString('utf8'));
    };
    child.stdout?.on('data', take(stdout));
    child.stderr?.on('data', take(stderr));
    // A program may end without reading its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
    let finished = false;
    const finish = (exitStatus: number, note = '') => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      if (note !== '') combined.add(Buffer.from(note));
      resolve({
        exitStatus: timedOut ? 124 : exitStatus,
        timedOut,
        stdout: stdout.text(),
        stderr: stderr.text() + note,
        combined: combined.text(),
        seconds: (performance.now() - start) / 1000,
      });
    };
    child.on('error', (error) => finish(127, `${program}: ${error.message}\n`));
    child.on('close', (code) => finish(code ?? 128));
    // A child of the program may keep the pipes open after the program has ended.
    child.on('exit', (code) => setTimeout(() => finish(code ?? 128), 2000).unref());
  });
}

/** As runTool, but a failure is thrown, with the program's last words. For steps that cannot go on without it. */
export async function mustRun(program: string, args: string[], options: ToolOptions = {}): Promise<ToolRun> {
  const run = await runTool(program, args, options);
  if (run.exitStatus === 0) return run;
  const why = run.timedOut ? 'took too long' : `ended with ${run.exitStatus}`;
  throw new Error(`${program} ${args.join(' ')} ${why}: ${run.combined.trim().slice(-1500)}`);
}

export interface CappedText {
  add(part: Buffer): void;
  text(): string;
}

/** Collects at most `limit` bytes: the first half as it came, of the rest the end. */
export function cappedText(limit: number): CappedText {
  const head: Buffer[] = [];
  let headSize = 0;
  let tail: Buffer[] = [];
  let tailSize = 0;
  let dropped = 0;
  const half = Math.floor(limit / 2);
  return {
    add: (part) => {
      const room = Math.max(0, half - headSize);
      if (room > 0) {
        head.push(part.subarray(0, room));
        headSize += Math.min(room, part.length);
      }
      const rest = part.subarray(room);
      if (rest.length === 0) return;
      tail.push(rest);
      tailSize += rest.length;
      if (tailSize > half * 2) {
        const kept = Buffer.concat(tail).subarray(-half);
        dropped += tailSize - kept.length;
        tail = [kept];
        tailSize = kept.length;
      }
    },
    text: () => {
      const end = Buffer.concat(tail);
      const kept = end.subarray(Math.max(0, end.length - half));
      const gone = dropped + end.length - kept.length;
      const note = gone > 0 ? `\n[… ${gone} bytes left out …]\n` : '';
      return Buffer.concat(head).toString('utf8') + note + kept.toString('utf8');
    },
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone between the deadline and the kill.
  }
}
