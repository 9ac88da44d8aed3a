import { NATIVE_BASE } from '@ingot/contract/native.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { authenticate } from './authenticate.ts';
import { failureFor, failureOf, noSuch } from './failure.ts';
import { loginLimit } from './login-limit.ts';
import { openApiOf } from './openapi.ts';
import type { NativeParts } from './parts.ts';
import type { Principal } from './principal.ts';
import { typicalTimes } from './read/typical.ts';
import { JsonList, type Route } from './route.ts';
import { nativeRoutes } from './routes/table.ts';
import { streamHub } from './stream/hub.ts';

export const API_VERSION = '1.0';

/**
 * Serves the native API below /api/v1, in a scope of its own: its errors, its 404 and its body parsing touch nothing else.
 * The caller marks requests of the local socket (`request.localAdmin = true`) before routing, and listens.
 */
export async function registerNativeApi(app: FastifyInstance, deps: RegionDeps): Promise<void> {
  const parts = nativeParts(deps);
  const routes = nativeRoutes(parts);
  const document = JSON.stringify(openApiOf(routes, API_VERSION));
  app.addHook('onClose', async () => parts.hub.close());
  await app.register(
    async (scope) => {
      scope.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
      scope.setNotFoundHandler((request) => {
        throw noSuch('API path', `${request.method} ${request.url.split('?')[0]}`);
      });
      // A POST without a body, as curl -X POST sends it, is one with an empty object.
      scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
        if (body === '') done(null, {});
        else done(failureFor('input.media_type'));
      });
      scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
        done(null, body),
      );
      scope.get('/openapi.json', (_request, reply) =>
        reply.header('content-type', 'application/json; charset=utf-8').send(document),
      );
      for (const route of routes) mount(scope, deps, route);
    },
    { prefix: NATIVE_BASE },
  );
}

export function nativeParts(deps: RegionDeps): NativeParts {
  const typical = typicalTimes(deps.db);
  return { typical, logins: loginLimit(), hub: streamHub(deps, typical, () => Date.now()) };
}

function mount(scope: FastifyInstance, deps: RegionDeps, route: Route): void {
  scope.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyLimit,
    handler: async (request, reply) => {
      const principal = await authenticate(deps, request);
      checkAccess(route, principal);
      const answer = await route.run(deps, principal, request, reply);
      // Handlers that send themselves give back the reply, or nothing after taking the socket over.
      if (answer === reply || reply.sent) return reply;
      reply.header('cache-control', 'no-store');
      if (answer instanceof JsonList) return answer.send(reply);
      return route.answer === null ? reply.code(204).send() : reply.send(answer);
    },
  });
}

function checkAccess(route: Route, principal: Principal | null): void {
  if (route.access === 'anyone') return;
  if (!principal) throw failureFor('auth.missing');
  if (route.access === 'local' && principal.via !== 'local') throw failureFor('perm.local');
  if (route.access === 'admin' && !principal.admin) {
    throw failureFor('perm.missing', {}, { message: 'This needs an administrator.' });
  }
}

function answerError(deps: RegionDeps, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = failureOf(error);
  if (failure) {
    if (failure.retryAfterSeconds !== null) reply.header('retry-after', String(failure.retryAfterSeconds));
    return reply.code(failure.status).send(failure.body);
  }
  deps.log.error({ err: error, method: request.method, url: request.url }, 'native API: unforeseen error');
  const what = `${request.method} ${request.url.split('?')[0]}`;
  return reply.code(500).send(failureFor('internal', { request: what, id: request.id }).body);
}
