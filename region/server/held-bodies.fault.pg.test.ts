import net from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { oauthHeader } from '../maas/testing/dialect.ts';
import { type ServedRegion, startServedRegion } from '../testing/served-region.ts';

// The dialect reads a body before it knows who asks, for the signature may stand in it.

const MIB = 1024 * 1024;
const CLIENTS = 30;
const EACH = 30 * MIB;
/** 256 MiB are held at once; the rest is what sockets buffer on both sides, and slack of the collector. 900 MiB are sent. */
const BOUND = 256 * MIB + 200 * MIB;

let region: ServedRegion;
beforeAll(async () => {
  region = await startServedRegion();
});
afterAll(() => region?.stop());

/** Sends all of a large body but its last byte. */
function withhold(): { socket: net.Socket; answer: () => string } {
  const socket = net.connect(region.port, '127.0.0.1');
  const chunk = Buffer.alloc(64 * 1024, 0x61);
  let answer = '';
  let left = EACH - 1;
  const send = () => {
    if (left <= 0 || socket.destroyed) return;
    const part = chunk.subarray(0, Math.min(left, chunk.length));
    left -= part.length;
    socket.write(part, () => setImmediate(send));
  };
  socket.on('data', (part) => {
    answer += part.toString('latin1');
  });
  // Cut while we were still sending.
  socket.on('error', () => undefined);
  const head = 'POST /MAAS/api/2.0/machines/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream';
  socket.write(`${head}\r\nContent-Length: ${EACH}\r\n\r\n`, send);
  return { socket, answer: () => answer };
}

/** A signed request with a body of its own, which is understood and refused. */
const ordinary = () =>
  region.ask({
    method: 'POST',
    path: '/MAAS/api/2.0/tags/',
    headers: { authorization: oauthHeader(region.apiKey), 'content-type': 'application/x-www-form-urlencoded' },
    body: 'name=',
  });

/**
 * @fault Thirty clients without a login send 30 MiB each to the MAAS API, all but the last byte.
 * @sees 503 with Retry-After and a closed connection to those beyond 256 MiB in all; ordinary requests are served meanwhile.
 * @ends The others are held until they end or are cut; then there is room again.
 */
test('bodies of all clients together are bounded', { timeout: 60_000 }, async () => {
  const before = process.memoryUsage.rss();
  const clients = Array.from({ length: CLIENTS }, withhold);
  await vi.waitFor(() => expect(clients.filter(({ socket }) => socket.destroyed).length).toBeGreaterThan(15), 20_000);
  const told = clients.map(({ answer }) => answer()).filter((answer) => answer !== '');
  expect(told.length).toBeGreaterThan(0);
  for (const answer of told) expect(answer).toMatch(/^HTTP\/1.1 503 (?:.*\r\n)*retry-after: \d+\r\n/i);
  expect(clients.filter(({ socket }) => !socket.destroyed).length).toBeGreaterThan(4);
  expect(process.memoryUsage.rss() - before).toBeLessThan(BOUND);
  expect((await ordinary()).status).toBe(400);
  for (const { socket } of clients) socket.destroy();
  // Nothing of theirs is counted for ever: there is room for as much again.
  const again = Array.from({ length: 6 }, withhold);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(again.filter(({ socket }) => socket.destroyed)).toHaveLength(0);
  for (const { socket } of again) socket.destroy();
  expect(region.errors).toEqual([]);
});
