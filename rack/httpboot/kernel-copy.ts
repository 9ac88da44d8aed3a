import type { Socket } from 'node:net';
import { endianness } from 'node:os';
import { TLSSocket } from 'node:tls';

/**
 * sendfile(2) for a response's socket: the bytes go from the page cache to the network without passing through this
 * program, at less than half the processor time per GiB of the best that reading and writing costs (bench http-image).
 */
export interface KernelCopy {
  /**
   * Sends up to `count` bytes of the file from `position`. Gives how many the socket took; 0 or less when it takes none
   * now, the file is at its end, or this file or socket cannot do it: then write instead. One call at a time.
   */
  send(fileDescriptor: number, position: number, count: number): Promise<number> | number;
  close(): void;
}

interface Calls {
  /** `offset`: 8 bytes, off_t of the host's (little) endianness. */
  send(out: number, from: number, offset: Buffer, count: number): number;
  sendAside(out: number, from: number, offset: Buffer, count: number): Promise<number>;
  duplicate(descriptor: number): number;
  close(descriptor: number): void;
}

const F_DUPFD_CLOEXEC = 1030;

/** A call that waited this long waited for a disk: the next ones are made where they hold up nobody else. */
const SLOW_MS = 5;
const CALLS_ASIDE = 32;

let loading: Promise<Calls | null> | undefined;

/** Null on systems without it, or where the native library cannot be loaded: nothing depends on it but speed. */
function loadCalls(): Promise<Calls | null> {
  loading ??= (async () => {
    if (process.platform !== 'linux' || endianness() !== 'LE') return null;
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const sendfile = libc.func('long sendfile(int out, int in, void *offset, size_t count)');
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    const close = libc.func('int close(int fd)');
    return {
      send: (out: number, from: number, offset: Buffer, count: number) => Number(sendfile(out, from, offset, count)),
      sendAside: (out: number, from: number, offset: Buffer, count: number) =>
        new Promise<number>((resolve, reject) => {
          sendfile.async(out, from, offset, count, (error: unknown, sent: unknown) => {
            if (error) reject(error);
            else resolve(Number(sent));
          });
        }),
      duplicate: (descriptor: number) => Number(fcntl(descriptor, F_DUPFD_CLOEXEC, 'int', 0)),
      close: (descriptor: number) => void close(descriptor),
    };
  })().catch(() => null);
  return loading;
}

/** Null when this connection has to be written to: TLS, no kernel help, or already gone. */
export async function openKernelCopy(socket: Socket | null): Promise<KernelCopy | null> {
  if (socket === null || socket instanceof TLSSocket) return null;
  const calls = await loadCalls();
  const own = descriptorOf(socket);
  if (calls === null || own === null) return null;
  // A descriptor of our own: should the connection close while the kernel is busy, its number may be another's by then.
  const descriptor = calls.duplicate(own);
  if (descriptor < 0) return null;
  const offset = Buffer.allocUnsafeSlow(8);
  let aside = 0;
  return {
    send: (fileDescriptor, position, count) => {
      // What waits in Node's queue comes first.
      if (socket.destroyed || socket.writableLength > 0) return 0;
      offset.writeBigInt64LE(BigInt(position));
      if (aside > 0) {
        aside -= 1;
        return calls.sendAside(descriptor, fileDescriptor, offset, count);
      }
      const started = performance.now();
      const sent = calls.send(descriptor, fileDescriptor, offset, count);
      if (performance.now() - started > SLOW_MS) aside = CALLS_ASIDE;
      return sent;
    },
    close: () => calls.close(descriptor),
  };
}

/** Node has no public name for a socket's descriptor. */
function descriptorOf(socket: Socket): number | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || socket.destroyed) return null;
  const descriptor: unknown = Reflect.get(handle, 'fd');
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : null;
}
