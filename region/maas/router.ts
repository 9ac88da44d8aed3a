import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { API_PREFIX } from './describe.ts';
import { toMaasError } from './problems.ts';
import type { Call, HandlerSpec, Operation, Person, Reply, Resource } from './table.ts';
import { authenticate, type Identities } from './wire/authenticate.ts';
import { type Body, decodeBody } from './wire/body.ts';
import { cookieOf } from './wire/cookies.ts';
import { badRequest, forbidden, MaasError, PERMISSION_DENIED } from './wire/errors.ts';
import { toJson } from './wire/json.ts';
import { compilePath, decodePath, matchPath, type PathPattern, splitOpSuffix } from './wire/path.ts';
import { lastOf, parseUrlEncoded, type Values, without } from './wire/values.ts';

export interface RouterOptions {
  table: readonly Resource[];
  deps: RegionDeps;
  identities: Identities;
  apiHash: string;
}

interface Route {
  pattern: PathPattern;
  resource: Resource;
}

interface Target {
  route: Route;
  params: Record<string, string>;
  suffixOp: string | undefined;
}

/** The function that answers every request below /MAAS/api/2.0/ from the table. Never redirects. */
export function createRouter(
  options: RouterOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const routes = options.table.flatMap((resource) =>
    resource.paths.map((template): Route => ({ pattern: compilePath(template), resource })),
  );
  return async (request, reply) => {
    setHeaders(request, reply, options.apiHash);
    try {
      return send(reply, await answer(options, routes, request));
    } catch (error) {
      return sendError(reply, toMaasError(error), options.deps);
    }
  };
}

async function answer(options: RouterOptions, routes: readonly Route[], request: FastifyRequest): Promise<Reply> {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  const signedPath = mark < 0 ? url : url.slice(0, mark);
  const rawPath = signedPath.replace(/^\/+/, '/');
  const query = parseUrlEncoded(mark < 0 ? '' : url.slice(mark + 1));
  const target = findTarget(routes, rawPath);
  if (target === null) throw new MaasError(404, `Unknown API endpoint: ${decodePath(rawPath) ?? rawPath}.`);
  const body = await decodeBody(request.headers['content-type'], bufferOf(request.body));
  const { resource } = target.route;
  const caller = await identify(options.identities, resource, request, { signedPath, query, body });
  const op = chosenOp(query, body.values, target.suffixOp);
  const operation = findOperation(caller.handler, request.method, op);
  const format = lastOf(query, 'format');
  if (format !== undefined && format !== 'json') throw badRequest(`Invalid output format specified '${format}'.`);
  const call = makeCall(options.deps, request, target.params, query, body);
  if (operation.access === 'anon') return await operation.handler(call);
  if (caller.person === null) throw unauthenticated();
  if (operation.access === 'admin' && !caller.person.admin) throw forbidden(PERMISSION_DENIED);
  return await operation.handler({ ...call, user: caller.person });
}

function findTarget(routes: readonly Route[], rawPath: string): Target | null {
  const path = decodePath(rawPath);
  if (path === null || !path.startsWith(API_PREFIX)) return null;
  const relative = path.slice(API_PREFIX.length);
  for (const route of routes) {
    const params = matchPath(route.pattern, relative);
    if (params !== null) return { route, params, suffixOp: undefined };
  }
  const suffix = splitOpSuffix(relative);
  if (suffix === null) return null;
  for (const route of routes) {
    const params = route.resource.auth === null ? null : matchPath(route.pattern, suffix.path);
    if (params !== null) return { route, params, suffixOp: suffix.op };
  }
  return null;
}

interface Seen {
  signedPath: string;
  query: Values;
  body: Body;
}

/**
 * The caller and the handler that serves him. Without valid credentials the anonymous handler serves, if the resource has
 * one for the method; otherwise the failure stands.
 */
async function identify(
  identities: Identities,
  resource: Resource,
  request: FastifyRequest,
  seen: Seen,
): Promise<{ person: Person | null; handler: HandlerSpec }> {
  const { anon, auth } = resource;
  if (auth === null) {
    if (anon === null) throw new Error('A resource without handlers cannot be served.');
    return { person: null, handler: anon };
  }
  const anonServes = anon?.operations.some((operation) => operation.method === request.method) ? anon : null;
  try {
    const person = await authenticate(
      identities,
      {
        authorization: request.headers.authorization,
        sessionId: cookieOf(request.headers.cookie, 'sessionid'),
        csrfHeader: headerText(request.headers['x-csrftoken']),
      },
      {
        method: request.method,
        url: `${request.protocol}://${request.headers.host ?? 'localhost'}${seen.signedPath}`,
        query: seen.query,
        body: seen.body.values,
        bodyIsUrlEncoded: seen.body.urlEncoded,
      },
      Math.floor(Date.now() / 1000),
    );
    if (person !== null) return { person, handler: auth };
  } catch (error) {
    if (anonServes !== null && error instanceof MaasError && error.status === 401) {
      return { person: null, handler: anonServes };
    }
    throw error;
  }
  if (anonServes !== null) return { person: null, handler: anonServes };
  throw unauthenticated();
}

function unauthenticated(): MaasError {
  return new MaasError(401, 'Forbidden');
}

/** Query before body before path suffix; an empty op means none (gomaasapi sends `?op=` on creates). */
function chosenOp(query: Values, body: Values, suffix: string | undefined): string | null {
  for (const candidate of [lastOf(query, 'op'), lastOf(body, 'op'), suffix]) {
    if (candidate !== undefined && candidate !== '') return candidate;
  }
  return null;
}

function findOperation(handler: HandlerSpec, method: string, op: string | null): Operation {
  const found = handler.operations.find((operation) => operation.method === method && operation.op === op);
  if (found !== undefined) return found;
  const methods = [...new Set(handler.operations.map((operation) => operation.method))];
  if (!methods.some((known) => known === method)) throw new MaasError(405, '', { allow: methods.sort().join(', ') });
  throw badRequest(`Unrecognised signature: method=${method} op=${op ?? 'None'}`);
}

function makeCall(
  deps: RegionDeps,
  request: FastifyRequest,
  path: Record<string, string>,
  query: Values,
  body: Body,
): Call {
  const isOauth = (name: string): boolean => name.startsWith('oauth_');
  const cleanQuery = without(query, isOauth);
  const reads = request.method === 'GET' || request.method === 'DELETE';
  return {
    deps,
    path,
    query: cleanQuery,
    values: reads ? cleanQuery : without(body.values, isOauth),
    files: body.files,
    raw: body.raw,
    requestPath: request.raw.url ?? '',
    address: request.ip ?? null,
    userAgent: request.headers['user-agent'] ?? '',
  };
}

function setHeaders(request: FastifyRequest, reply: FastifyReply, apiHash: string): void {
  const trace = headerText(request.headers['maas-trace-id']);
  reply.header('x-maas-api-hash', apiHash);
  reply.header('vary', request.headers.cookie === undefined ? 'Authorization' : 'Authorization, Cookie');
  reply.header('maas-trace-id', trace ?? randomBytes(16).toString('hex'));
  reply.header('x-frame-options', 'DENY');
}

const PLAIN = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

function send(reply: FastifyReply, answered: Reply): FastifyReply {
  switch (answered.kind) {
    case 'json':
      return reply.code(answered.status).header('content-type', JSON_TYPE).send(toJson(answered.value));
    case 'json-text':
      return reply.code(200).header('content-type', JSON_TYPE).send(answered.text);
    case 'text':
      return reply.code(answered.status).header('content-type', PLAIN).send(answered.text);
    case 'bytes':
      return reply
        .code(200)
        .headers(answered.headers ?? {})
        .header('content-type', answered.contentType)
        .send(answered.bytes);
    case 'empty':
      // Fastify strips the content type of a 204, but the CLI dies without one; on the raw response it stays.
      reply.raw.setHeader('content-type', PLAIN);
      return reply.code(204).send();
  }
}

function sendError(reply: FastifyReply, error: unknown, deps: RegionDeps): FastifyReply {
  if (error instanceof MaasError) {
    const type = typeof error.body === 'string' ? PLAIN : 'application/json';
    const body = typeof error.body === 'string' ? error.body : toJson(error.body);
    return reply.code(error.status).headers(error.headers).header('content-type', type).send(body);
  }
  deps.log.error({ err: error }, 'dialect request failed');
  const trace = String(reply.getHeader('maas-trace-id'));
  return reply
    .code(500)
    .header('content-type', PLAIN)
    .send(`The request failed inside the region; its log has the reason under trace ${trace}.`);
}

function bufferOf(body: unknown): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
