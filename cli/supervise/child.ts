import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { backOff } from './back-off.ts';
import type { LogFile } from './log-file.ts';

const STOP_WITHIN_MS = 10_000;
const SETPRIV = '/usr/bin/setpriv';
const TAIL_BYTES = 4096;
const ROTATE_EVERY_MS = 5000;

export interface ChildSpec {
  name: string;
  argv: readonly string[];
  env?: NodeJS.ProcessEnv;
  log: LogFile;
  /** Told of each end that nobody asked for, with the end of its output and the wait before the next start. */
  onEnd(end: { how: string; tail: string; waitMs: number }): void;
}

export interface SupervisedChild {
  name: string;
  pid(): number | null;
  /** Ends in time: SIGTERM, after 10 s SIGKILL. No restart follows. */
  stop(): Promise<void>;
}

/**
 * Keeps a program running, its two outputs in the log. setpriv asks the kernel to end it when this process dies, also
 * by kill -9, and then becomes the program itself, so the pid is the program's.
 */
export function supervise(spec: ChildSpec): SupervisedChild {
  const wait = backOff();
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let stopping = false;
  let gone: () => void = () => undefined;

  const start = () => {
    timer = null;
    const started = performance.now();
    const [command = '', ...rest] = bound(spec.argv);
    const running = spawn(command, rest, { stdio: ['ignore', spec.log.fd, spec.log.fd], env: spec.env });
    child = running;
    let ended = false;
    const end = (how: string) => {
      if (ended) return;
      ended = true;
      child = null;
      gone();
      if (stopping) return;
      const waitMs = wait.ended(performance.now() - started);
      timer = setTimeout(start, waitMs);
      spec.onEnd({ how, tail: spec.log.tail(TAIL_BYTES), waitMs });
    };
    running.on('error', (error) => end(error.message));
    running.on('close', (code, signal) => end(signal ? `signal ${signal}` : `exit ${code}`));
  };
  start();
  const rotation = setInterval(() => spec.log.rotate(), ROTATE_EVERY_MS);
  rotation.unref();

  return {
    name: spec.name,
    pid: () => child?.pid ?? null,
    async stop() {
      stopping = true;
      if (timer) clearTimeout(timer);
      clearInterval(rotation);
      const running = child;
      if (running) {
        const closed = new Promise<void>((resolve) => {
          gone = resolve;
        });
        running.kill('SIGTERM');
        const force = setTimeout(() => running.kill('SIGKILL'), STOP_WITHIN_MS);
        await closed;
        clearTimeout(force);
      }
      spec.log.close();
    },
  };
}

function bound(argv: readonly string[]): readonly string[] {
  return existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', '--', ...argv] : argv;
}
