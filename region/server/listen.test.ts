import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimSocket, isLocalAdmin, type Listening, listen } from './listen.ts';

let dir: string;
let app: FastifyInstance;
let listening: Listening;
let apiSocket: string;
let rackSocket: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'ingot-listen-'));
  apiSocket = path.join(dir, 'api.sock');
  rackSocket = path.join(dir, 'rack.sock');
  app = fastify();
  app.get('/*', async (request) => ({ local: isLocalAdmin(request.raw) }));
  app.server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  await app.ready();
  listening = await listen(app, { tcp: { host: '127.0.0.1', port: 0 }, apiSocket, rackSocket });
});
afterEach(async () => {
  await listening.close();
  await rm(dir, { recursive: true });
});

function get(target: http.RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ ...target, agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode ?? 0, body });
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, body: '' });
    });
    request.on('error', reject);
  });
}

test('only the API socket makes a local administrator, and both sockets are for their owner alone', async () => {
  expect(await get({ socketPath: apiSocket, path: '/x' })).toEqual({ status: 200, body: '{"local":true}' });
  expect(await get({ host: '127.0.0.1', port: listening.port, path: '/x' })).toEqual({
    status: 200,
    body: '{"local":false}',
  });
  expect(await get({ socketPath: rackSocket, path: '/rack/v1/x' })).toEqual({ status: 200, body: '{"local":false}' });
  for (const file of [apiSocket, rackSocket]) expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("the rack's socket carries the link, blobs and what machines ask, and nothing else", async () => {
  const allowed = ['/rack/v1/blobs/00', '/agent/v1/task', '/MAAS/metadata/latest/', '/MAAS/api/2.0/machines/'];
  for (const url of allowed) expect((await get({ socketPath: rackSocket, path: url })).status).toBe(200);
  const refused = ['/', '/api/v1/machines', '/MAAS/api/2.0/machines/abc/', '/MAAS/api/2.0/users/', '/metrics'];
  for (const url of refused) expect((await get({ socketPath: rackSocket, path: url })).status).toBe(404);
  const headers = { connection: 'upgrade', upgrade: 'websocket' };
  expect((await get({ socketPath: rackSocket, path: '/rack/v1/link', headers })).status).toBe(101);
});

test('a socket that somebody serves is not taken away; one left by a dead process is', async () => {
  await expect(claimSocket(apiSocket)).rejects.toThrow(/another region already serves/);
  await claimSocket(path.join(dir, 'nobody.sock'));
});
