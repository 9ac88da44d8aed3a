import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerWebUi } from './web-ui.ts';

let app: FastifyInstance;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'ingot-web-'));
  await mkdir(path.join(dir, 'web/assets'), { recursive: true });
  await writeFile(path.join(dir, 'web/index.html'), '<!doctype html><title>Ingot</title>');
  await writeFile(path.join(dir, 'web/assets/app-1a2b.js'), `console.log(${'1'.repeat(2000)})`);
  await writeFile(path.join(dir, 'secret'), 'secret');
  app = fastify();
  registerWebUi(app, path.join(dir, 'web'));
});
afterAll(async () => {
  await app.close();
  await rm(dir, { recursive: true });
});

const html = { accept: 'text/html,*/*' };

test('every page path gets the page, with a policy that allows no inline script', async () => {
  for (const url of ['/', '/machines', '/machines/4y3h7n?tab=log']) {
    const answer = await app.inject({ url, headers: html });
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toContain('<title>Ingot</title>');
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self';");
    expect(answer.headers['cache-control']).toBe('no-cache');
  }
});

test('assets are compressed for who can read that, and kept for good', async () => {
  const answer = await app.inject({ url: '/assets/app-1a2b.js', headers: { 'accept-encoding': 'gzip' } });
  expect(answer.headers).toMatchObject({
    'content-encoding': 'gzip',
    'content-type': 'text/javascript; charset=utf-8',
  });
  expect(answer.headers['cache-control']).toContain('immutable');
  expect((await app.inject({ url: '/assets/app-1a2b.js' })).body).toContain('console.log');
});

test('paths of the APIs, missing assets, writes and anything outside the folder are not pages', async () => {
  const urls = [
    '/MAAS/nothing',
    '/api/v9/x',
    '/assets/gone.js',
    '/assets/..%2f..%2fsecret',
    '/assets/%2e%2e%2f%2e%2e%2fsecret',
  ];
  for (const url of urls) expect((await app.inject({ url, headers: html })).statusCode).toBe(404);
  expect((await app.inject({ method: 'POST', url: '/machines', headers: html })).statusCode).toBe(404);
  expect((await app.inject({ url: '/machines', headers: { accept: 'application/json' } })).statusCode).toBe(404);
});
