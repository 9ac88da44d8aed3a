import type { FastifyReply, FastifyRequest } from 'fastify';
import { noSuch } from '../api/failure.ts';

const SHOWN = 200;

/** A path that cannot be decoded or is too long leads nowhere on any API; each says so in its own shape. */
export function answerBadUrl(_error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = (request.url.split('?')[0] ?? '').slice(0, SHOWN);
  if (path.startsWith('/api/')) {
    const { status, body } = noSuch('API path', `${request.method} ${path}`);
    return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
  }
  const text = path.startsWith('/MAAS/api/2.0/') ? `Unknown API endpoint: ${path}.` : 'Not Found';
  return reply.code(404).type('text/plain; charset=utf-8').send(text);
}
