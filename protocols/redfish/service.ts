import {
  type HttpAnswer,
  type HttpConnection,
  type HttpLimits,
  type HttpRequest,
  openConnection,
} from '../http/exchange.ts';
import { member, RedfishFailure, reasonOf, redfishFailure, text } from './failure.ts';

export interface RedfishTarget {
  /** Of the service: https://host[:port]/. */
  origin: URL;
  user: string;
  password: string;
  /** False: the BMC's certificate is not looked at. */
  verify: boolean;
  limits?: Partial<HttpLimits>;
}

export interface RedfishResource {
  body: unknown;
  /** From the body, else from the header; null when the service gives none. */
  etag: string | null;
}

/** Paths are absolute within the service. All throw RedfishFailure; secrets are in no message. */
export interface RedfishService {
  host: string;
  get(path: string): Promise<RedfishResource>;
  post(path: string, body: unknown): Promise<void>;
  patch(path: string, body: unknown, etag: string | null): Promise<void>;
}

const SESSIONS = '/redfish/v1/SessionService/Sessions';

/**
 * Runs `use` over one connection. Basic authentication, as it leaves nothing behind: BMCs have few sessions (iDRAC 8) and
 * keep forgotten ones for half an hour. A service that refuses Basic is given a session, which is closed again.
 */
export async function withService<T>(
  target: RedfishTarget,
  use: (service: RedfishService) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const connection = openConnection({ verify: target.verify, limits: target.limits ?? {} });
  const caller = openCaller(target, connection, signal);
  try {
    return await use(serviceOver(target, caller));
  } catch (error) {
    throw redfishFailure(error);
  } finally {
    await caller.logout();
    connection.close();
  }
}

interface Caller {
  call(method: HttpRequest['method'], path: string, body?: unknown, etag?: string | null): Promise<HttpAnswer>;
  logout(): Promise<void>;
}

function openCaller(target: RedfishTarget, connection: HttpConnection, signal: AbortSignal): Caller {
  const basic = `Basic ${Buffer.from(`${target.user}:${target.password}`).toString('base64')}`;
  let session: { token: string; path: string | null } | null = null;

  async function send(
    method: HttpRequest['method'],
    path: string,
    auth: Record<string, string>,
    body?: unknown,
    etag?: string | null,
  ): Promise<HttpAnswer> {
    const url = urlOf(target.origin, path);
    const headers = {
      accept: 'application/json',
      'odata-version': '4.0',
      'user-agent': 'Ingot',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(etag ? { 'if-match': etag } : {}),
      ...auth,
    };
    const request = { method, url, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await connection.exchange(request, signal);
    // Some services know a resource only with a slash at its end.
    if (answer.status !== 404 || path.endsWith('/')) return answer;
    return await connection.exchange({ ...request, url: urlOf(target.origin, `${path}/`) }, signal);
  }

  async function login(): Promise<{ token: string; path: string | null }> {
    const answer = await send('POST', SESSIONS, {}, { UserName: target.user, Password: target.password });
    const token = answer.headers['x-auth-token'];
    if (answer.status >= 400) throw refusedBy(answer, target, 'log in');
    if (typeof token !== 'string') throw new RedfishFailure('fatal', `${target.origin.host} gave no token at login`);
    const { location } = answer.headers;
    const path =
      location !== undefined && URL.canParse(location, target.origin.href) ? new URL(location, target.origin) : null;
    return { token, path: path?.origin === target.origin.origin ? path.pathname : null };
  }

  return {
    call: async (method, path, body, etag) => {
      const auth = (): Record<string, string> =>
        session ? { 'x-auth-token': session.token } : { authorization: basic };
      const answer = await send(method, path, auth(), body, etag);
      if (answer.status !== 401 || session !== null || offersBasic(answer)) return answer;
      session = await login();
      return await send(method, path, auth(), body, etag);
    },
    logout: async () => {
      if (session === null || session.path === null || signal.aborted) return;
      // What was asked is answered already; a session that stays ends by itself.
      await send('DELETE', session.path, { 'x-auth-token': session.token }).catch(() => undefined);
    },
  };
}

const offersBasic = (answer: HttpAnswer) => /\bbasic\b/i.test(answer.headers['www-authenticate'] ?? '');

function serviceOver(target: RedfishTarget, caller: Caller): RedfishService {
  const { host } = target.origin;
  return {
    host,
    get: async (path) => {
      const answer = await caller.call('GET', path);
      if (answer.status !== 200) throw refusedBy(answer, target, `read ${path}`);
      const body = parsed(answer);
      if (typeof body !== 'object' || body === null) {
        throw new RedfishFailure('fatal', `${host} answered ${path} with something that is no JSON object`);
      }
      return { body, etag: text(body, '@odata.etag') || (answer.headers.etag ?? null) };
    },
    post: async (path, body) => {
      const answer = await caller.call('POST', path, body);
      if (answer.status >= 300) throw refusedBy(answer, target, `do ${path}`);
    },
    patch: async (path, body, etag) => {
      const answer = await caller.call('PATCH', path, body, etag);
      if (answer.status >= 300) throw refusedBy(answer, target, `change ${path}`);
    },
  };
}

/** Null for what is no JSON. */
function parsed(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch {
    return null;
  }
}

function refusedBy(answer: HttpAnswer, target: RedfishTarget, what: string): RedfishFailure {
  const { host } = target.origin;
  const said = withoutSecrets(reasonOf(parsed(answer)), target);
  const reason = said === '' ? `HTTP ${answer.status}` : `HTTP ${answer.status}: ${said}`;
  if (answer.status === 401) return new RedfishFailure('auth', `${host} refused user or password (${reason})`, 401);
  if (answer.status === 403)
    return new RedfishFailure('auth', `${host} does not let this user ${what} (${reason})`, 403);
  return new RedfishFailure('action', `${host} refused to ${what} (${reason})`, answer.status);
}

/** Services have been seen to echo what was sent. */
function withoutSecrets(said: string, target: RedfishTarget): string {
  const secrets = [target.password, Buffer.from(`${target.user}:${target.password}`).toString('base64')];
  return secrets.filter((each) => each !== '').reduce((rest, each) => rest.replaceAll(each, '***'), said);
}

/** A path that the service named, within the service: a resource elsewhere would be handed the credentials. */
function urlOf(origin: URL, path: string): URL {
  const url = URL.canParse(path, origin.href) ? new URL(path, origin) : null;
  if (url === null || url.origin !== origin.origin) {
    const where = url === null ? 'no address' : url.origin;
    throw new RedfishFailure(
      'fatal',
      `${origin.host} names a resource at ${where}: not followed, as the credentials are for ${origin.origin} alone`,
    );
  }
  return url;
}

/** The path behind `@odata.id` of a member; null when there is none. */
export function linkOf(value: unknown, name: string): string | null {
  return text(member(value, name), '@odata.id') || null;
}
