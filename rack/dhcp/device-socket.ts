import { createSocket, type Socket } from 'node:dgram';

/** Linux numbers (asm-generic/socket.h, bits/socket.h): amd64 and arm64 agree on them. */
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_BROADCAST = 6;
const SO_BINDTODEVICE = 25;
const EVERYBODY = [255, 255, 255, 255];

/**
 * A UDP socket that hears only limited broadcasts to `port` that come in on `device`, and sends on that device. Node cannot
 * bind to a device itself. It is bound to 255.255.255.255, so that it stands beside what else of this host holds the port on
 * an address (Kea, the host's own DHCP client). Rejects with the name of the call that failed; needs CAP_NET_RAW.
 */
export async function openDeviceSocket(device: string, port: number): Promise<Socket> {
  const libc = await openLibc();
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw libc.failed('socket');
  const on = Buffer.from([1, 0, 0, 0]);
  const name = Buffer.from(`${device}\0`);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set(EVERYBODY, 4);
  const steps: [string, () => number][] = [
    ['SO_REUSEADDR', () => libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.length)],
    ['SO_BROADCAST', () => libc.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, on, on.length)],
    ['SO_BINDTODEVICE', () => libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length)],
    ['bind', () => libc.bind(fd, address, address.length)],
  ];
  for (const [what, step] of steps) {
    if (step() >= 0) continue;
    const error = libc.failed(`${what} ${device} port ${port}`);
    libc.close(fd);
    throw error;
  }
  return await new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ fd }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  close(fd: number): number;
  failed(what: string): Error;
}

let opened: Promise<Libc> | null = null;

/** Loaded when it is first needed: a rack that serves no such network needs no native code. */
function openLibc(): Promise<Libc> {
  opened ??= import('koffi').then((koffi) => {
    const lib = koffi.load('libc.so.6');
    const errors = new Map(Object.entries(koffi.os.errno).map(([name, code]) => [code, name]));
    return {
      socket: lib.func('int socket(int, int, int)'),
      setsockopt: lib.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)'),
      bind: lib.func('int bind(int, const uint8_t *, uint32_t)'),
      close: lib.func('int close(int)'),
      failed: (what) => new Error(`${what}: ${errors.get(koffi.errno()) ?? koffi.errno()}`),
    };
  });
  return opened;
}
