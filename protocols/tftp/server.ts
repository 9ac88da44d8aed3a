import { createSocket, type RemoteInfo } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { negotiate } from './negotiate.ts';
import { decodePacket, encodePacket, type Packet, TFTP_ERROR } from './packet.ts';
import { asItIs, type Remote, sendFile, type TftpFile, type TransferEnd, type TransferLimits } from './transfer.ts';

export type ReadEnd = TransferEnd | { outcome: 'refused'; message: string };

/** What happened to one read request; handed to `onDone` exactly once per request. */
export type ReadReport = ReadEnd & { name: string; remote: Remote; bytes: number; milliseconds: number };

export interface TftpServerOptions {
  address: string;
  /** 0 picks a free one; see `TftpServer.port`. */
  port: number;
  /** Null = no such file. A rejection is told to the client as an error. */
  open(name: string, remote: Remote): Promise<TftpFile | null> | TftpFile | null;
  onDone(report: ReadReport): void;
  limits?: Partial<TransferLimits & { transfers: number; transfersPerAddress: number }>;
  /** Octets of file data per block at most, see `LARGEST_BLOCK_SIZE`; more only where frames are larger than Ethernet's. */
  largestBlock?: number;
}

export interface TftpServer {
  address: string;
  port: number;
  active(): number;
  /** Ends running transfers with an error packet and closes the sockets. */
  close(): Promise<void>;
}

/** A rack of machines may be switched on at once: each has a socket and no buffer of its own beyond its window. */
const DEFAULT_LIMITS = { tries: 6, deadlineMs: 300_000, transfers: 1024, transfersPerAddress: 8 };
/** Requests that wait in the kernel while others are answered; half a thousand machines ask within milliseconds. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** A read-only TFTP server on one address. Rejects when the port cannot be bound. */
export async function startTftpServer(options: TftpServerOptions): Promise<TftpServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const socket = createSocket({ type: options.address.includes(':') ? 'udp6' : 'udp4', lookup: asItIs });
  const stopping = new AbortController();
  // Each transfer listens for the end.
  setMaxListeners(limits.transfers + 1, stopping.signal);
  /** Key address:port — a client that asks again from the same port repeats a request that is being served. */
  const running = new Map<string, Promise<void>>();
  const perAddress = new Map<string, number>();

  const answer = (remote: Remote, code: number, message: string) => {
    socket.send(encodePacket({ kind: 'error', code, message }), remote.port, remote.address);
  };

  async function serve(request: Packet & { kind: 'rrq' | 'wrq' }, remote: Remote): Promise<void> {
    const started = performance.now();
    const report = (end: ReadEnd, bytes: number) => {
      const milliseconds = performance.now() - started;
      options.onDone({ ...end, name: request.name, remote, bytes, milliseconds });
    };
    const refuse = (code: number, message: string) => {
      answer(remote, code, message);
      report({ outcome: 'refused', message }, 0);
    };
    if (request.kind === 'wrq') return refuse(TFTP_ERROR.accessViolation, 'this server only sends files');
    if (request.mode !== 'octet') return refuse(TFTP_ERROR.illegalOperation, 'only octet (binary) mode is served');
    if (running.size >= limits.transfers || (perAddress.get(remote.address) ?? 0) > limits.transfersPerAddress) {
      return refuse(TFTP_ERROR.undefined, 'too many transfers, try again');
    }
    let file: TftpFile | null;
    try {
      file = await options.open(request.name, remote);
    } catch (error) {
      return refuse(TFTP_ERROR.undefined, error instanceof Error ? error.message : String(error));
    }
    if (file === null) return refuse(TFTP_ERROR.notFound, 'file not found');
    try {
      const terms = negotiate(request.options, file.size, options.largestBlock);
      const { bytes, ...end } = await sendFile(file, terms, remote, options.address, limits, stopping.signal);
      report(end, bytes);
    } finally {
      file.close?.();
    }
  }

  function receive(bytes: Buffer, from: RemoteInfo): void {
    const packet = decodePacket(bytes);
    if (packet?.kind !== 'rrq' && packet?.kind !== 'wrq') return;
    const remote = { address: from.address, port: from.port };
    const key = `${remote.address}:${remote.port}`;
    if (running.has(key)) return;
    perAddress.set(remote.address, (perAddress.get(remote.address) ?? 0) + 1);
    const done = serve(packet, remote).finally(() => {
      running.delete(key);
      const left = (perAddress.get(remote.address) ?? 1) - 1;
      if (left > 0) perAddress.set(remote.address, left);
      else perAddress.delete(remote.address);
    });
    running.set(key, done);
  }

  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      socket.off('error', reject);
      // The kernel grants what its limit allows; the default holds about 160 requests.
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      resolve();
    });
  });
  // An ICMP error about an earlier answer surfaces here; it concerns one client, not the server.
  socket.on('error', () => undefined);
  socket.on('message', receive);

  return {
    address: options.address,
    port: socket.address().port,
    active: () => running.size,
    close: async () => {
      socket.off('message', receive);
      stopping.abort();
      await Promise.all(running.values());
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}
