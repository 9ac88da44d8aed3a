import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const compress = promisify(gzip);

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
};
const COMPRESSED = new Set(['.html', '.js', '.css', '.svg', '.json', '.txt']);

/** Scripts only from here. Style attributes are how the component library sets sizes, so styles may be inline. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Paths that are never a page of the UI. */
const NOT_PAGES = /^\/+(MAAS|api|agent|rack|metrics|healthz|assets)(\/|$)/;

interface Held {
  plain: Buffer;
  gzipped: Buffer | null;
  type: string;
}

/**
 * Serves the built UI from `directory` at `/`; unknown paths that are asked for as a page get the page, which routes by
 * itself. Everything else that no route took is 404.
 */
export function registerWebUi(app: FastifyInstance, directory: string): void {
  const held = new Map<string, Held>();

  async function load(file: string): Promise<Held | null> {
    const known = held.get(file);
    if (known) return known;
    const full = path.join(directory, file);
    const found = await stat(full).catch(() => null);
    if (!found?.isFile() || path.relative(directory, full).startsWith('..')) return null;
    const extension = path.extname(full);
    const plain = await readFile(full);
    const gzipped = COMPRESSED.has(extension) && plain.length > 1024 ? await compress(plain) : null;
    const fresh = { plain, gzipped, type: TYPES[extension] ?? 'application/octet-stream' };
    // The page names the hashed assets; it is read anew, so that a new build shows without a restart.
    if (file.startsWith('assets/') && held.size < 500) held.set(file, fresh);
    return fresh;
  }

  async function send(request: FastifyRequest, reply: FastifyReply, file: string): Promise<FastifyReply> {
    const found = await load(file);
    if (!found) return reply.code(404).type('text/plain; charset=utf-8').send('Not Found');
    const packed = found.gzipped && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    if (found.gzipped) reply.header('vary', 'accept-encoding');
    if (packed) reply.header('content-encoding', 'gzip');
    return reply
      .headers({
        'content-type': found.type,
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cache-control': file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      })
      .send(packed ? found.gzipped : found.plain);
  }

  app.get('/', (request, reply) => send(request, reply, 'index.html'));
  app.get<{ Params: { '*': string } }>('/assets/*', (request, reply) =>
    send(request, reply, `assets/${path.posix.normalize(request.params['*'])}`),
  );
  app.setNotFoundHandler(async (request, reply) => {
    const [pathname = '/'] = request.url.split('?');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && !NOT_PAGES.test(pathname)) {
      if (/^\/[\w.-]+\.(svg|ico|png|txt)$/.test(pathname)) return send(request, reply, pathname.slice(1));
      if (String(request.headers.accept ?? '').includes('text/html')) return send(request, reply, 'index.html');
    }
    return reply.code(404).type('text/plain; charset=utf-8').send('Not Found');
  });
}
