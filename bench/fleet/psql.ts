import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const LIMIT_MS = 600_000;

/** Arguments that reach the private cluster of a state directory. */
export const psqlArguments = (socketDir: string): string[] => [
  ...['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', socketDir, '-U', 'ingot', '-d', 'ingot'],
];

/** Runs SQL text, given whole or as a stream, through Debian's psql. Gives its output; throws with its complaint. */
export async function psql(socketDir: string, script: string | Readable): Promise<string> {
  const child = spawn('psql', [...psqlArguments(socketDir), '-f', '-'], { timeout: LIMIT_MS });
  let out = '';
  let complaint = '';
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    complaint = `${complaint}${data.toString()}`.slice(-2000);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // psql that ended early breaks the pipe; its own complaint says more than ours.
  const sent = typeof script === 'string' ? Promise.resolve(child.stdin.end(script)) : pipeline(script, child.stdin);
  await sent.catch(() => undefined);
  const code = await ended;
  if (code !== 0) throw new Error(`psql ended with ${code}: ${complaint.trim()}`);
  return out.trim();
}
