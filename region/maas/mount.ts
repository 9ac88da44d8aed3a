import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { describeFor, describeTable } from './describe.ts';
import { openApiYaml } from './openapi.ts';
import { createRouter } from './router.ts';
import { table } from './routes/table.ts';
import { mountSessions } from './sessions.ts';
import type { Identities } from './wire/authenticate.ts';
import { MaasError } from './wire/errors.ts';
import { createHeldBodies } from './wire/held-bodies.ts';

/** Room for a chunk upload (4 MiB) and for user-data of any cloud-init size, base64 and url-encoded. */
const LARGEST_BODY = 32 * 1024 * 1024;
/** No form without files and user-data is longer. */
const ORDINARY_BODY = 64 * 1024;
/** Eight of the largest, or 64 chunks of an upload. */
const BODIES_TOGETHER = 256 * 1024 * 1024;

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'] as const;

/** The API part of the dialect with identities given, so that a test can stand in for the accounts. */
export async function mountDialect(app: FastifyInstance, deps: RegionDeps, identities: Identities): Promise<void> {
  const description = describeTable(table);
  const route = createRouter({ table, deps, identities, apiHash: description.hash });
  const describe = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const origin = `${request.protocol}://${request.headers.host ?? 'localhost'}`;
    // As bytes: for text Fastify would add a charset, and the CLI compares the type with exactly application/json.
    const body = Buffer.from(describeFor(description, origin));
    return reply.header('x-maas-api-hash', description.hash).header('content-type', 'application/json').send(body);
  };
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const bodies = createHeldBodies({ each: LARGEST_BODY, free: ORDINARY_BODY, together: BODIES_TOGETHER });
    const responses = new WeakMap<IncomingMessage, ServerResponse>();
    scope.addContentTypeParser('*', (request, _payload, done) => {
      const response = responses.get(request.raw);
      if (response === undefined) throw new Error('a body without its response');
      bodies.read(request.raw, response, done);
    });
    // A content type that is none (no slash) must not end in Fastify's 415: such a body just holds no parameters.
    scope.addHook('onRequest', async (request, reply) => {
      responses.set(request.raw, reply.raw);
      const type = request.headers['content-type'];
      if (type !== undefined && !/^[^\s/;]+\/[^\s/;]+/.test(type))
        request.headers['content-type'] = 'application/octet-stream';
    });
    // What fails before a handler runs (a body beyond the limit) is plain text too: clients take JSON for an object.
    scope.setErrorHandler<FastifyError | MaasError>((error, _request, reply) =>
      reply
        .code(error instanceof MaasError ? error.status : (error.statusCode ?? 500))
        .headers(error instanceof MaasError ? error.headers : {})
        .header('content-type', 'text/plain; charset=utf-8')
        .send(error.message),
    );
    // cloud-init and curtin double the leading slash.
    for (const prefix of ['/MAAS', '//MAAS']) {
      scope.route({ method: [...METHODS], url: `${prefix}/api/2.0/describe/`, handler: describe });
      scope.get(`${prefix}/api/2.0/openapi.yaml`, async (_request, reply) =>
        reply.header('content-type', 'application/openapi+yaml').send(openApiYaml(description)),
      );
      scope.get(`${prefix}/api/version/`, async (_request, reply) =>
        reply.header('content-type', 'text/plain; charset=utf-8').send('2.0'),
      );
      mountSessions(scope, deps, prefix);
      scope.route({ method: [...METHODS], url: `${prefix}/api/1.0/*`, handler: gone });
      scope.route({ method: [...METHODS], url: `${prefix}/api/*`, handler: route });
    }
  });
}

async function gone(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply
    .code(410)
    .header('content-type', 'text/plain; charset=utf-8')
    .send('This version of the API is gone. Use version 2.0 at /MAAS/api/2.0/.');
}
