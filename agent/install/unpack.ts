import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Code } from '@ingot/core/machine/catalogue.ts';
import { runTool } from '../tool.ts';

export interface StreamInput {
  url: string;
  sha256: string;
  size: number;
  /** Where the sum is noted meanwhile. */
  sumFile: string;
  onProgress: (bytesDone: number) => void;
  log: (line: string) => void;
}

export interface UnpackInput extends StreamInput {
  format: 'tar.zst' | 'tgz';
  target: string;
}

export type UnpackOutcome = { ok: true } | { ok: false; code: Code; message: string };

const LONGEST_DELAY_MS = 2000;

/**
 * Sums its input; the sum comes first in what it prints. Where the processor has instructions for it, as most servers have, it takes
 * a quarter of the time of sha256sum. In the ephemeral image it comes with ca-certificates.
 */
export const SUM = 'openssl dgst -sha256 -r';

/**
 * Bytes go from tee to the sum and to tar; the bytes never pass through this program, which would take a third more time.
 * tar reads and writes 128 KiB at a time: with its 10 KiB, an image of 16,000 files took a fifth longer.
 */
const SINK = `set -o pipefail
exec 3> >(exec ${SUM} > "$1"); sum=$!
tee /dev/fd/3 | $3 -dc -q | tar -xpf - -b 256 --xattrs --xattrs-include='*' --numeric-owner -C "$2"; status=$?
exec 3>&-; wait $sum; exit $status`;

/**
 * Stream the image from the rack through its sum into tar. A broken transfer goes on where it stopped, for as long as it takes.
 * What was unpacked counts only when the outcome is ok: then every byte had the right sum.
 */
export function unpackImage(input: UnpackInput): Promise<UnpackOutcome> {
  return streamInto(input, SINK, [input.target, input.format === 'tgz' ? 'gzip' : 'zstd']);
}

/**
 * Stream the image into a shell script that notes the sum of what it reads in "$1"; the rest of its arguments are the caller's.
 * Ok only when every byte had the right sum and the script succeeded.
 */
export async function streamInto(input: StreamInput, script: string, args: readonly string[]): Promise<UnpackOutcome> {
  const sink = spawn('bash', ['-c', script, 'image', input.sumFile, ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
  let words = '';
  sink.stderr.on('data', (part: Buffer) => {
    if (words.length < 4000) words += part.toString('utf8');
  });
  // tar may end early (disk full): its exit status tells.
  sink.stdin.on('error', () => undefined);
  const closed = once(sink, 'close').then(([code]) => (typeof code === 'number' ? code : 128));
  await transfer(input, sink, sink.stdin);
  sink.stdin.end();
  const status = await closed;
  const sum = (await readFile(input.sumFile, 'utf8').catch(() => '')).slice(0, 64);
  // A wrong byte stops the decompressor before the end, so that the sum of what came says nothing: ask for all of it.
  const whole = status === 0 ? sum : await wholeSum(input.url);
  if (whole !== input.sha256 && whole !== '') {
    return {
      ok: false,
      code: 'install.image_mismatch',
      message: `The image has sum ${whole}, expected ${input.sha256}.`,
    };
  }
  if (status !== 0 || whole === '') {
    const message = `Unpacking ended with ${status}: ${words.trim().slice(-1500)}`;
    return { ok: false, code: 'install.step_failed', message };
  }
  return { ok: true };
}

/** Sum of the file as the rack serves it; empty when it cannot be fetched. */
async function wholeSum(url: string): Promise<string> {
  const command = `set -o pipefail; curl --silent --fail "$0" | ${SUM}`;
  const run = await runTool('bash', ['-c', command, url], { timeoutSeconds: 3600 });
  return run.exitStatus === 0 ? run.stdout.slice(0, 64) : '';
}

/** Hand all bytes of the image to the sink in order; ends early when the sink has ended, or the rack's file has. */
async function transfer(input: StreamInput, sink: ChildProcess, into: Writable): Promise<void> {
  let done = 0;
  let delay = 100;
  let lastSaid = Number.NEGATIVE_INFINITY;
  while (done < input.size && sink.exitCode === null && sink.signalCode === null) {
    const got = await fetchFrom(input, done, into);
    done += got.bytes;
    input.onProgress(done);
    if (got.isPastEnd) return;
    if (got.problem === '') continue;
    if (performance.now() - lastSaid > 5000) {
      lastSaid = performance.now();
      input.log(`image stopped at ${done} of ${input.size} bytes: ${got.problem}`);
    }
    delay = got.bytes > 0 ? 100 : Math.min(LONGEST_DELAY_MS, delay * 2);
    await sleep(delay);
  }
}

/** One curl, writing straight into the sink's pipe. A server that ignores the offset is an error, not a corrupt stream. */
async function fetchFrom(
  input: StreamInput,
  offset: number,
  into: Writable,
): Promise<{ bytes: number; problem: string; isPastEnd: boolean }> {
  const limits = ['--connect-timeout', '10', '--speed-limit', '1', '--speed-time', '30'];
  const resume = offset > 0 ? ['--continue-at', String(offset)] : [];
  const words = ['--write-out', '%{stderr}\nBYTES %{size_download} %{http_code}\n'];
  const curl = spawn('curl', ['--silent', '--show-error', '--fail', ...limits, ...resume, ...words, input.url], {
    // The stream is a pipe of ours: curl gets its file descriptor.
    stdio: ['ignore', into, 'pipe'],
  });
  let text = '';
  curl.stderr?.on('data', (part: Buffer) => {
    if (text.length < 4000) text += part.toString('utf8');
  });
  const watch = setInterval(() => {
    void bytesWritten(curl.pid).then((bytes) => bytes > 0 && input.onProgress(Math.min(input.size, offset + bytes)));
  }, 1000);
  const code = await Promise.race([
    once(curl, 'close').then(([status]): number | null => status),
    once(curl, 'error').then((): null => null),
  ]);
  clearInterval(watch);
  const [, bytes = 0, status] = /^BYTES (\d+) (\d+)$/m.exec(text) ?? [];
  const problem = text.replace(/\n?BYTES \d+ \d+\n/, '').trim();
  // RFC 9110 §15.5.17: there is nothing from this offset on. The sum will tell what that means.
  const isPastEnd = status === '416';
  return { bytes: Number(bytes), problem: code === 0 ? '' : problem || `curl ended with ${code}`, isPastEnd };
}

/** What a process has written so far, see proc_pid_io(5). */
async function bytesWritten(pid: number | undefined): Promise<number> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  return Number(/^wchar: (\d+)$/m.exec(io)?.[1] ?? 0);
}
