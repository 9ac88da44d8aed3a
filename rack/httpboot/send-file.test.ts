import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SendFileLimits, sendFile } from './send-file.ts';

const SIZE = 20 * 2 ** 20 + 3;
const bytes = randomBytes(SIZE);
let dir: string;
let file: string;
let server: Server;
let port = 0;
let limits: SendFileLimits = { stallMs: 20_000, kernel: true };
let ends: (number | Error)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'send-file-'));
  file = join(dir, 'image');
  await writeFile(file, bytes);
  server = createServer((incoming, response) => {
    const [from = 0, length = SIZE] = (incoming.url ?? '').slice(1).split('-').map(Number);
    response.writeHead(200, { 'content-length': length });
    sendFile(response, file, from, length, limits).then(
      (sent) => ends.push(sent),
      (error: Error) => ends.push(error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  port = bound !== null && typeof bound === 'object' ? bound.port : 0;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

const get = (from: number, length: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request({ port, host: '127.0.0.1', path: `/${from}-${length}` }, (answer) => {
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks)));
      answer.on('error', reject);
    })
      .on('error', reject)
      .end();
  });

async function openImages(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith(dir)).length;
}

/** A client that asks and then reads nothing; `then` is told once the first bytes have come. */
const askAndStop = () =>
  new Promise<ReturnType<typeof createConnection>>((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () =>
      socket.write('GET /0- HTTP/1.1\r\nhost: a\r\n\r\n'),
    );
    socket.on('error', () => undefined);
    socket.once('readable', () => resolve(socket));
  });

describe.each([true, false])('a file as a response (kernel: %s)', (kernel) => {
  beforeAll(() => {
    limits = { stallMs: 20_000, kernel };
    ends = [];
  });

  it('arrives byte for byte, whole and in any part', async () => {
    expect((await get(0, SIZE)).equals(bytes)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat(SIZE - 1), fc.nat(3 * 2 ** 20), async (from, asked) => {
        const length = Math.min(asked + 1, SIZE - from);
        expect((await get(from, length)).equals(bytes.subarray(from, from + length))).toBe(true);
      }),
      { numRuns: 25 },
    );
    await expect.poll(() => ends.length).toBe(26);
    expect(await openImages()).toBe(0);
  });

  it('goes to several at once without mixing them up', async () => {
    ends = [];
    const parts = await Promise.all(Array.from({ length: 8 }, (_, i) => get(i * 1000, SIZE - i * 1000)));
    for (const [i, part] of parts.entries()) expect(part.equals(bytes.subarray(i * 1000))).toBe(true);
    await expect.poll(() => ends.length).toBe(8);
  });

  it('leaves the file alone when the client hangs up in the middle', async () => {
    ends = [];
    const socket = await askAndStop();
    socket.destroy();
    await expect.poll(() => ends.length, { timeout: 5000 }).toBe(1);
    expect(ends[0]).toBeLessThan(SIZE);
    await expect.poll(openImages).toBe(0);
  });

  /**
   * @fault A machine dies, or a client stops reading, in the middle of an image.
   * @sees Nothing on other machines; the read's evidence says how many bytes went.
   * @ends After two minutes in which nothing was taken the rack cuts the connection and closes the file.
   */
  it('cuts off a client that takes nothing any more', async () => {
    ends = [];
    limits = { stallMs: 300, kernel };
    const socket = await askAndStop();
    await expect.poll(() => ends.length, { timeout: 5000 }).toBe(1);
    expect(ends[0]).toBeLessThan(SIZE);
    await expect.poll(openImages).toBe(0);
    socket.destroy();
    limits = { stallMs: 20_000, kernel };
  });
});

it('cuts the connection when the file is shorter than promised', async () => {
  const [short, whole] = [join(dir, 'short'), file];
  await writeFile(short, bytes);
  await truncate(short, 1000);
  file = short;
  ends = [];
  await expect(get(0, SIZE)).rejects.toThrow();
  await expect.poll(() => String(ends[0])).toContain('bytes early');
  file = whole;
});
