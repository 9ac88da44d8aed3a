import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type KernelCopy, openKernelCopy } from './kernel-copy.ts';

export interface SendFileLimits {
  /** Milliseconds in which a client must take something; a machine that died holds a connection and a file open. */
  stallMs: number;
  /** False = every byte is read and written by this program. */
  kernel: boolean;
}

const LIMITS: SendFileLimits = { stallMs: 120_000, kernel: true };

/** Written by us between the kernel's turns: large enough to be no more than a few per cent of the calls. */
const CHUNK_BESIDE_KERNEL = 64 * 1024;
/** Read and written over and over in the same memory, which stays in the processor's cache. */
const CHUNK_ALONE = 512 * 1024;
const KERNEL_CALL = 1024 * 1024;

/**
 * Sends `length` bytes of a file from `start` as the body of a response whose head is written, and ends it. Resolves
 * with the bytes handed over; a client that hangs up or stalls ends it early and is no error. Rejects when the file
 * cannot be opened or is shorter than promised; then the connection is cut.
 */
export async function sendFile(
  response: ServerResponse,
  path: string,
  start: number,
  length: number,
  limits: SendFileLimits = LIMITS,
): Promise<number> {
  const file = await open(path, 'r');
  const kernel = limits.kernel ? await openKernelCopy(response.socket) : null;
  try {
    return await send(response, file, kernel, start, length, limits);
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    kernel?.close();
    await file.close();
  }
}

async function send(
  response: ServerResponse,
  file: FileHandle,
  kernel: KernelCopy | null,
  start: number,
  length: number,
  limits: SendFileLimits,
): Promise<number> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(length, kernel ? CHUNK_BESIDE_KERNEL : CHUNK_ALONE));
  let sent = 0;
  while (sent < length) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, length - sent), start + sent);
    if (bytesRead === 0) throw new Error(`the file ended ${length - sent} bytes early`);
    // Whole in the kernel's hands when this resolves: that is also how we learn that the socket takes more.
    if (!(await written(response, chunk.subarray(0, bytesRead), limits.stallMs))) return sent;
    sent += bytesRead;
    while (kernel && sent < length) {
      const count = Math.min(KERNEL_CALL, length - sent);
      const taken = await kernel.send(file.fd, start + sent, count);
      if (taken > 0) sent += taken;
      if (taken < count) break;
      await nextTurn();
    }
  }
  response.end();
  return sent;
}

/** False when the client is gone, or took nothing in time and was cut off. */
function written(response: ServerResponse, chunk: Buffer, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (whole: boolean) => {
      clearTimeout(timer);
      response.off('close', gone);
      resolve(whole);
    };
    const gone = () => settle(false);
    const timer = setTimeout(() => {
      response.destroy();
      settle(false);
    }, stallMs);
    // Node does not call back for what it throws away because the connection is closed.
    response.once('close', gone);
    if (response.destroyed) gone();
    else response.write(chunk, (error) => settle(!error));
  });
}
