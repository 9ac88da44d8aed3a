import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createToken, listTokens } from '../accounts/api-tokens.ts';
import { createSession, endSession, sessionUser } from '../accounts/sessions.ts';
import { verifyLogin } from '../accounts/users.ts';
import type { RegionDeps } from '../deps.ts';
import { tokenObject } from './routes/account.ts';
import { csrfMatches, csrfToken } from './wire/authenticate.ts';
import { decodeBody } from './wire/body.ts';
import { cookieOf } from './wire/cookies.ts';
import { type FieldErrors, MaasError, REQUIRED } from './wire/errors.ts';
import { toJson } from './wire/json.ts';
import { lastOf, textOf, type Values } from './wire/values.ts';

const PLAIN = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** Session login and the helpers around it (conventions §3). `scope` has the catch-all body parser. */
export function mountSessions(scope: FastifyInstance, deps: RegionDeps, prefix: string): void {
  scope.get(`${prefix}/accounts/login/`, (request, reply) => showLogin(deps, request, reply));
  scope.post(`${prefix}/accounts/login/`, (request, reply) => login(deps, request, reply));
  scope.post(`${prefix}/accounts/logout/`, (request, reply) => logout(deps, request, reply));
  scope.post(`${prefix}/accounts/authenticate/`, (request, reply) => issueKey(deps, request, reply));
  scope.post(`${prefix}/account/csrf/`, (request, reply) => tellCsrf(deps, request, reply));
  const others = ['PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const;
  const allowed: readonly (readonly [string, string])[] = [
    ['accounts/login/', 'GET, POST'],
    ['accounts/logout/', 'POST'],
    ['accounts/authenticate/', 'POST'],
    ['account/csrf/', 'POST'],
  ];
  for (const [path, allow] of allowed) {
    const methods = allow.includes('GET') ? [...others] : [...others, 'GET' as const, 'HEAD' as const];
    scope.route({
      method: methods,
      url: `${prefix}/${path}`,
      handler: async (_request, reply) => reply.code(405).header('allow', allow).header('content-type', PLAIN).send(''),
    });
  }
}

async function showLogin(deps: RegionDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const person = await whoHasSession(deps, request);
  const people = await deps.db.selectFrom('users').select('id').where('is_system', '=', false).limit(1).execute();
  const value = { authenticated: person !== null, external_auth_url: null, no_users: people.length === 0 };
  return reply.header('content-type', JSON_TYPE).send(toJson(value));
}

async function login(deps: RegionDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if ((await whoHasSession(deps, request)) !== null) return empty(reply);
  const form = await formOf(request);
  if (form instanceof MaasError) return refuse(reply, form);
  const missing: FieldErrors = {};
  for (const field of ['username', 'password']) {
    if (textOf(form, field) === undefined) missing[field] = [REQUIRED];
  }
  if (Object.keys(missing).length > 0) return refuse(reply, new MaasError(400, missing));
  const user = await verifyLogin(deps, lastOf(form, 'username') ?? '', lastOf(form, 'password') ?? '');
  if (user === null) {
    const message = 'Please enter a correct username and password. Note that both fields may be case-sensitive.';
    return refuse(reply, new MaasError(400, { __all__: [message] }));
  }
  const session = await createSession(deps, user.id);
  const secure = request.protocol === 'https' ? '; Secure' : '';
  const common = `Path=/; Expires=${session.expires.toUTCString()}; SameSite=Lax${secure}`;
  reply.header('set-cookie', [
    `sessionid=${session.id}; HttpOnly; ${common}`,
    `csrftoken=${csrfToken(session.id)}; ${common}`,
  ]);
  return empty(reply);
}

async function logout(deps: RegionDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const sessionId = cookieOf(request.headers.cookie, 'sessionid');
  if (sessionId === undefined) return empty(reply);
  const given = request.headers['x-csrftoken'];
  if (!csrfMatches(sessionId, Array.isArray(given) ? given[0] : given)) {
    return refuse(reply, new MaasError(403, 'CSRF verification failed: send the token as X-CSRFToken.'));
  }
  await endSession(deps, sessionId);
  const past = 'Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
  reply.header('set-cookie', [`sessionid=; HttpOnly; ${past}`, `csrftoken=; ${past}`]);
  return empty(reply);
}

/** Name and password for an API key, without a session: the oldest key (of that name, if one is given) or a new one. */
async function issueKey(deps: RegionDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const form = await formOf(request);
  if (form instanceof MaasError) return refuse(reply, form);
  const user = await verifyLogin(deps, lastOf(form, 'username') ?? '', lastOf(form, 'password') ?? '');
  if (user === null) return refuse(reply, new MaasError(403, 'Forbidden'));
  const name = textOf(form, 'consumer');
  const tokens = await listTokens(deps, user.id);
  const token =
    tokens.find((candidate) => name === undefined || candidate.name === name) ??
    (await createToken(deps, user.id, name));
  return reply.header('content-type', JSON_TYPE).send(toJson(tokenObject(token)));
}

async function tellCsrf(deps: RegionDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const sessionId = cookieOf(request.headers.cookie, 'sessionid');
  if (sessionId === undefined || (await sessionUser(deps, sessionId)) === null) {
    return refuse(reply, new MaasError(403, 'Forbidden'));
  }
  return reply.header('content-type', JSON_TYPE).send(toJson({ csrf: csrfToken(sessionId) }));
}

async function whoHasSession(deps: RegionDeps, request: FastifyRequest) {
  const sessionId = cookieOf(request.headers.cookie, 'sessionid');
  return sessionId === undefined ? null : await sessionUser(deps, sessionId);
}

async function formOf(request: FastifyRequest): Promise<Values | MaasError> {
  const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  try {
    return (await decodeBody(request.headers['content-type'], raw)).values;
  } catch (error) {
    if (error instanceof MaasError) return error;
    throw error;
  }
}

function empty(reply: FastifyReply): FastifyReply {
  reply.raw.setHeader('content-type', PLAIN);
  return reply.code(204).send();
}

function refuse(reply: FastifyReply, error: MaasError): FastifyReply {
  const body = typeof error.body === 'string' ? error.body : toJson(error.body);
  const type = typeof error.body === 'string' ? PLAIN : 'application/json';
  return reply.code(error.status).header('content-type', type).send(body);
}
