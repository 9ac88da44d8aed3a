import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodePacket, encodePacket, type Packet } from './packet.ts';
import { type ReadReport, startTftpServer, type TftpServer } from './server.ts';

const run = promisify(execFile);
const files: Record<string, Buffer> = {
  'odd.bin': randomBytes(100_001),
  'even.bin': randomBytes(512 * 20),
  'empty.bin': Buffer.alloc(0),
  // More than 65,535 blocks of 512: the block number wraps.
  'long.bin': randomBytes(512 * 65_540 + 7),
};

let server: TftpServer;
let reports: ReadReport[];
let dir: string;
beforeEach(async () => {
  reports = [];
  dir = await mkdtemp(join(tmpdir(), 'tftp-'));
  server = await startTftpServer({
    address: '127.0.0.1',
    port: 0,
    open: (name) => {
      const bytes = files[name];
      return bytes ? { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) } : null;
    },
    onDone: (report) => reports.push(report),
    limits: { tries: 3, transfersPerAddress: 2 },
  });
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

async function fetchWithTftpHpa(name: string, mode = 'binary'): Promise<Buffer> {
  const to = join(dir, 'got');
  await run('tftp', ['-m', mode, '127.0.0.1', String(server.port), '-c', 'get', name, to], { timeout: 60_000 });
  return await readFile(to);
}

interface Client {
  socket: Socket;
  send(packet: Packet, to?: number): void;
  next(ms?: number): Promise<{ packet: Packet | null; from: RemoteInfo } | null>;
}
async function client(): Promise<Client> {
  const socket = createSocket('udp4');
  const inbox: { packet: Packet | null; from: RemoteInfo }[] = [];
  const waiting: ((got: { packet: Packet | null; from: RemoteInfo }) => void)[] = [];
  socket.on('message', (bytes, from) => {
    const got = { packet: decodePacket(bytes), from };
    const waiter = waiting.shift();
    if (waiter) waiter(got);
    else inbox.push(got);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    socket,
    send: (packet, to = server.port) => socket.send(encodePacket(packet), to, '127.0.0.1'),
    next: (ms = 1000) => {
      const first = inbox.shift();
      if (first) return Promise.resolve(first);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting.splice(0);
          resolve(null);
        }, ms);
        waiting.push((got) => {
          clearTimeout(timer);
          resolve(got);
        });
      });
    },
  };
}
const ask = (name: string, options: Record<string, string> = {}, mode = 'octet'): Packet => ({
  kind: 'rrq',
  name,
  mode,
  options,
});

describe('TFTP server', () => {
  it.each(['odd.bin', 'even.bin', 'empty.bin'])("sends %s to Debian's client byte for byte", async (name) => {
    expect((await fetchWithTftpHpa(name)).equals(files[name] ?? Buffer.alloc(1))).toBe(true);
    expect(reports).toMatchObject([{ outcome: 'sent', name, bytes: files[name]?.length }]);
  });

  it('goes on when the block number wraps', async () => {
    expect((await fetchWithTftpHpa('long.bin')).equals(files['long.bin'] ?? Buffer.alloc(1))).toBe(true);
  }, 60_000);

  it('says that a file is missing, and refuses netascii and writing', async () => {
    const { socket, send, next } = await client();
    for (const [packet, code] of [
      [ask('nothing'), 1],
      [ask('odd.bin', {}, 'netascii'), 4],
      [{ ...ask('odd.bin'), kind: 'wrq' } as Packet, 2],
    ] as const) {
      send(packet);
      expect((await next())?.packet).toMatchObject({ kind: 'error', code });
    }
    expect(reports.map((r) => r.outcome)).toEqual(['refused', 'refused', 'refused']);
    socket.close();
  });

  it('grants block size, size and timeout, and takes an abort after the size as an answer', async () => {
    const { socket, send, next } = await client();
    send(ask('odd.bin', { blksize: '9000', tsize: '0', timeout: '2' }));
    const first = await next();
    expect(first?.packet).toEqual({ kind: 'oack', options: { blksize: '1468', tsize: '100001', timeout: '2' } });
    send({ kind: 'error', code: 8, message: 'size was enough' }, first?.from.port);
    await expect.poll(() => reports).toMatchObject([{ outcome: 'aborted', bytes: 0 }]);
    socket.close();
  });

  it('does not answer a duplicate ACK (the sorcerer’s apprentice)', async () => {
    const { socket, send, next } = await client();
    send(ask('even.bin'));
    const first = await next();
    const port = first?.from.port;
    send({ kind: 'ack', block: 1 }, port);
    send({ kind: 'ack', block: 1 }, port);
    send({ kind: 'ack', block: 1 }, port);
    expect((await next())?.packet).toMatchObject({ kind: 'data', block: 2 });
    expect(await next(300)).toBeNull();
    socket.close();
  });

  it('sends a lost block again and gives a silent client up', async () => {
    const { socket, send, next } = await client();
    send(ask('even.bin'));
    for (let i = 0; i < 3; i++) expect((await next(2000))?.packet).toMatchObject({ kind: 'data', block: 1 });
    await expect.poll(() => reports, { timeout: 3000 }).toMatchObject([{ outcome: 'timeout', bytes: 0 }]);
    expect(server.active()).toBe(0);
    socket.close();
  }, 10_000);

  it('takes a repeated request as the same transfer, and bounds transfers per address', async () => {
    const clients = await Promise.all([client(), client(), client()]);
    const [a, b, c] = clients;
    if (!a || !b || !c) throw new Error('three clients');
    a.send(ask('even.bin'));
    a.send(ask('even.bin'));
    b.send(ask('even.bin'));
    expect((await a.next())?.packet).toMatchObject({ kind: 'data', block: 1 });
    expect(await a.next(200)).toBeNull();
    c.send(ask('even.bin'));
    expect((await c.next())?.packet).toMatchObject({ kind: 'error', code: 0 });
    for (const each of clients) each.socket.close();
  });

  it('tells a stranger on a transfer port that it does not belong there', async () => {
    const [a, stranger] = await Promise.all([client(), client()]);
    a.send(ask('even.bin'));
    const port = (await a.next())?.from.port;
    stranger.send({ kind: 'ack', block: 1 }, port);
    expect((await stranger.next())?.packet).toMatchObject({ kind: 'error', code: 5 });
    a.send({ kind: 'ack', block: 1 }, port);
    expect((await a.next())?.packet).toMatchObject({ kind: 'data', block: 2 });
    a.socket.close();
    stranger.socket.close();
  });
});
