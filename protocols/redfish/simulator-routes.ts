import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { member, text } from './failure.ts';
import {
  actionInfoBody,
  changeBoot,
  etagOf,
  type Outcome,
  reset,
  type SystemState,
  settingsBody,
  systemBody,
} from './simulated-system.ts';
import type { RedfishFaults } from './simulator.ts';

export interface ServiceState {
  users: readonly { name: string; password: string }[];
  systems: ReadonlyMap<string, SystemState>;
  basicAuth: boolean;
  faults: () => RedfishFaults;
  /** Token → path of the session. */
  sessions: Map<string, string>;
  newToken(): string;
  requests: string[];
}

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const REQUESTS_KEPT = 1000;
const LARGEST_BODY = 64 << 10;
/** As iDRAC. */
const MOST_SESSIONS = 8;
const HUGE_CHUNK = Buffer.alloc(64 << 10, ' ');
/** More than any client may want; ends all the same. */
const HUGE_CHUNKS = 1024;

interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Answers one request, faults included. Rejects only when the peer is gone. */
export async function handle(service: ServiceState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'https://service').pathname;
  service.requests.push(`${request.method} ${path}`);
  if (service.requests.length > REQUESTS_KEPT) service.requests.shift();
  const body = await readBody(request);
  const faults = service.faults();
  if (faults.silent) return;
  if (faults.delayMs !== undefined) await delay(faults.delayMs);
  if (faults.bodies === 'huge') return await sendEndless(response);
  const reply = await replyTo(service, faults, request, path, body);
  const text = reply.body === undefined ? '' : JSON.stringify(reply.body);
  const sent = faults.bodies === 'malformed' ? text.slice(0, text.length / 2) : text;
  response.writeHead(reply.status, {
    'odata-version': '4.0',
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    ...reply.headers,
  });
  response.end(sent);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const piece: Buffer = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > LARGEST_BODY) throw new Error('body too large');
    chunks.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return null;
  }
}

async function sendEndless(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  for (let chunk = 0; chunk < HUGE_CHUNKS && !response.destroyed; chunk++) {
    response.write(HUGE_CHUNK);
    await delay(1);
  }
  response.end();
}

async function replyTo(
  service: ServiceState,
  faults: RedfishFaults,
  request: IncomingMessage,
  path: string,
  body: unknown,
): Promise<Reply> {
  const plain = path.replace(/\/+$/, '');
  if (faults.status !== undefined) return refused({ status: faults.status, message: 'The service is not available.' });
  if (plain === '/redfish' || plain === '/redfish/v1') {
    return {
      status: 200,
      body: {
        '@odata.id': '/redfish/v1/',
        Id: 'RootService',
        RedfishVersion: '1.13.0',
        Systems: { '@odata.id': '/redfish/v1/Systems' },
        Links: { Sessions: { '@odata.id': SESSIONS } },
      },
    };
  }
  if (plain === SESSIONS && request.method === 'POST') return openSession(service, faults, body);
  if (!isKnown(service, faults, request)) return unauthorized(service);
  if (request.method === 'DELETE' && plain.startsWith(`${SESSIONS}/`)) {
    for (const [token, session] of service.sessions) if (session === plain) service.sessions.delete(token);
    return { status: 204 };
  }
  if (faults.redirectsTo !== undefined && plain.startsWith('/redfish/v1/Systems')) {
    return { status: 308, headers: { location: `${faults.redirectsTo}${path}` } };
  }
  return await systemReply(service, faults, request, path, body);
}

function isKnown(service: ServiceState, faults: RedfishFaults, request: IncomingMessage): boolean {
  if (faults.refusesLogin) return false;
  const token = request.headers['x-auth-token'];
  if (typeof token === 'string') return service.sessions.has(token);
  const [scheme, code = ''] = (request.headers.authorization ?? '').split(' ');
  if (!service.basicAuth || scheme !== 'Basic') return false;
  const given = Buffer.from(code, 'base64').toString('utf8');
  return service.users.some((user) => `${user.name}:${user.password}` === given);
}

function openSession(service: ServiceState, faults: RedfishFaults, body: unknown): Reply {
  const isUser = service.users.some(
    (user) => user.name === text(body, 'UserName') && user.password === text(body, 'Password'),
  );
  if (faults.refusesLogin || !isUser) return unauthorized(service);
  if (service.sessions.size >= MOST_SESSIONS) return refused({ status: 503, message: 'Too many sessions are open.' });
  const token = service.newToken();
  const path = `${SESSIONS}/${token.slice(0, 8)}`;
  service.sessions.set(token, path);
  return { status: 201, headers: { 'x-auth-token': token, location: path }, body: { '@odata.id': path } };
}

function unauthorized(service: ServiceState): Reply {
  const scheme = service.basicAuth ? 'Basic realm="Redfish"' : 'X-Auth-Token';
  const reply = refused({ status: 401, message: 'User or password is not right.' });
  return { ...reply, headers: { 'www-authenticate': scheme } };
}

/** An error body as DSP0266 section 8.6 has it. */
function refused(outcome: Outcome): Reply {
  const message = outcome.message ?? '';
  const info = [{ '@odata.type': '#Message.v1_1_1.Message', MessageId: 'Base.1.8.GeneralError', Message: message }];
  return {
    status: outcome.status,
    body: { error: { code: 'Base.1.8.GeneralError', message, '@Message.ExtendedInfo': info } },
  };
}

const replyOf = (outcome: Outcome): Reply => (outcome.status < 300 ? { status: outcome.status } : refused(outcome));

async function systemReply(
  service: ServiceState,
  faults: RedfishFaults,
  request: IncomingMessage,
  path: string,
  body: unknown,
): Promise<Reply> {
  const [id = '', ...rest] = path
    .replace(/^\/redfish\/v1\/Systems\/?/, '')
    .split('/')
    .map(decodeURIComponent);
  const missing = refused({ status: 404, message: 'There is no such resource.' });
  if (!path.startsWith('/redfish/v1/Systems')) return missing;
  if (id === '') {
    const members = [...service.systems.keys()].map((each) => ({ '@odata.id': `/redfish/v1/Systems/${each}` }));
    return {
      status: 200,
      body: { '@odata.id': '/redfish/v1/Systems', Members: members, 'Members@odata.count': members.length },
    };
  }
  const state = service.systems.get(id);
  if (state === undefined || (state.persona.slashes && rest.at(-1) !== '')) return missing;
  const settings = state.persona.settingsObject;
  switch (`${request.method} ${rest.filter((part) => part !== '').join('/')}`) {
    case 'GET ':
      return {
        status: 200,
        body: systemBody(state, saidPower(faults)),
        ...(state.persona.etag === 'none' ? {} : { headers: { etag: etagOf(state) } }),
      };
    case 'GET Settings':
      return settings ? { status: 200, body: settingsBody(state) } : missing;
    case 'GET ResetActionInfo':
      return { status: 200, body: actionInfoBody(state) };
    case 'PATCH ':
      return settings
        ? refused({ status: 405, message: 'Write to the settings object.' })
        : patched(state, faults, request, body);
    case 'PATCH Settings':
      return settings ? patched(state, faults, request, body) : missing;
    case 'POST Actions/ComputerSystem.Reset':
      return replyOf(await reset(state, text(body, 'ResetType'), faults.lies === 'deaf'));
    default:
      return missing;
  }
}

function saidPower(faults: RedfishFaults): string | null {
  if (faults.powerState !== undefined) return faults.powerState;
  return faults.lies === 'on' ? 'On' : faults.lies === 'off' ? 'Off' : null;
}

function patched(state: SystemState, faults: RedfishFaults, request: IncomingMessage, body: unknown): Reply {
  const boot = member(body, 'Boot');
  if (typeof boot !== 'object' || boot === null) return refused({ status: 400, message: 'Only Boot can be changed.' });
  if (faults.forgetsBoot) return { status: 204 };
  return replyOf(changeBoot(state, new Map<string, unknown>(Object.entries(boot)), request.headers['if-match']));
}
