import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface UnpackInput {
  url: string;
  sha256: string;
  size: number;
  format: 'tar.zst' | 'tgz';
  target: string;
  onProgress: (bytesDone: number) => void;
  log: (line: string) => void;
}

export type UnpackOutcome = { ok: true } | { ok: false; code: string; message: string };

const LONGEST_DELAY_MS = 2000;
const STALL_MS = 30_000;

/**
 * Stream the image from the rack through its sum into tar. A broken transfer goes on where it stopped, for as long as it takes.
 * What was unpacked counts only when the outcome is ok: then every byte had the right sum.
 */
export async function unpackImage(input: UnpackInput): Promise<UnpackOutcome> {
  const decompressor = input.format === 'tgz' ? ['gzip', '-dc'] : ['zstd', '-dc', '-q'];
  const command = `set -o pipefail; ${decompressor.join(' ')} | tar -xpf - --xattrs --xattrs-include='*' --numeric-owner -C "$0"`;
  const child = spawn('bash', ['-c', command, input.target], { stdio: ['pipe', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (part: Buffer) => {
    if (words.length < 4000) words += part.toString('utf8');
  });
  let ended: number | null = null;
  const closed = once(child, 'close').then(([code]) => {
    ended = typeof code === 'number' ? code : 128;
    return ended;
  });
  // tar may end early (disk full): the write fails with EPIPE and the exit status tells.
  child.stdin.on('error', () => undefined);
  const hash = createHash('sha256');
  let done = 0;
  await transfer(
    input,
    () => done,
    async (part) => {
      hash.update(part);
      done += part.length;
      input.onProgress(done);
      if (ended !== null) return false;
      if (!child.stdin.write(part)) await Promise.race([once(child.stdin, 'drain'), closed]);
      return ended === null;
    },
  );
  child.stdin.end();
  const status = await closed;
  const sum = hash.digest('hex');
  if (done === input.size && sum !== input.sha256) {
    return {
      ok: false,
      code: 'install.image_mismatch',
      message: `The image has sum ${sum}, expected ${input.sha256}.`,
    };
  }
  if (status !== 0) {
    return {
      ok: false,
      code: 'install.unpack_failed',
      message: `Unpacking ended with ${status}: ${words.trim().slice(-1500)}`,
    };
  }
  return { ok: true };
}

/** Hand all bytes of the image to `take` in order; ends early when it returns false. */
async function transfer(
  input: UnpackInput,
  done: () => number,
  take: (part: Buffer) => Promise<boolean>,
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  let delay = 100;
  let lastSaid = 0;
  try {
    while (done() < input.size) {
      const before = done();
      try {
        const answer = await ask(input.url, before, agent);
        for await (const part of answer) if (!(await take(part))) return;
      } catch (error) {
        if (performance.now() - lastSaid > 5000) {
          lastSaid = performance.now();
          input.log(
            `image stopped at ${done()} of ${input.size} bytes: ${error instanceof Error ? error.message : error}`,
          );
        }
      }
      if (done() >= input.size) return;
      delay = done() > before ? 100 : Math.min(LONGEST_DELAY_MS, delay * 2);
      await sleep(delay);
    }
  } finally {
    agent.destroy();
  }
}

function ask(url: string, offset: number, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const call = get(url, { agent, headers, timeout: STALL_MS }, (answer) => {
      const wanted = offset > 0 ? 206 : 200;
      if (answer.statusCode === wanted) return resolve(answer);
      answer.resume();
      reject(new Error(`rack answered ${answer.statusCode} for the image`));
    });
    call.on('timeout', () => call.destroy(new Error(`no byte in ${STALL_MS / 1000} s`)));
    call.on('error', reject);
  });
}
