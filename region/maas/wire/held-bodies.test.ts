import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MaasError } from './errors.ts';
import { createHeldBodies } from './held-bodies.ts';

const bodies = createHeldBodies({ each: 2000, free: 100, together: 1000 });
const server = http.createServer((request, response) => {
  bodies.read(request, response, (error, body) => {
    response.statusCode = error instanceof MaasError ? error.status : 200;
    response.end(String(body?.length ?? ''));
  });
});
const port = () => (server.address() as AddressInfo).port;
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

async function send(size: number): Promise<[number, string]> {
  const answer = await fetch(`http://127.0.0.1:${port()}/`, { method: 'POST', body: 'x'.repeat(size) });
  return [answer.status, await answer.text()];
}

it('bounds each body and all of them together, but for short ones, until they are answered or cut', async () => {
  expect(await send(2001)).toEqual([413, '']);
  const slow = net.connect(port(), '127.0.0.1');
  slow.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1200\r\n\r\n${'x'.repeat(1100)}`);
  await vi.waitFor(async () => expect(await send(101)).toEqual([503, '']));
  expect(await send(100)).toEqual([200, '100']);
  slow.destroy();
  // Several times: what was answered, well or not, is held no more.
  for (let again = 0; again < 3; again += 1) {
    await vi.waitFor(async () => expect(await send(1100)).toEqual([200, '1100']));
    expect(await send(1101)).toEqual([503, '']);
    expect(await send(2001)).toEqual([413, '']);
  }
});
