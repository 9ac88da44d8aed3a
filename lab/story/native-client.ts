import http from 'node:http';
import {
  type ActionRequest,
  ApiError,
  ApiKey,
  AttemptView,
  EventView,
  EvidenceView,
  Explain,
  ImageView,
  MachineDetail,
  type MachinePatch,
  MachineView,
  NATIVE_BASE,
  PowerStateView,
  RackToken,
  RackView,
  WhoAmI,
} from '@ingot/contract/native.ts';
import * as z from 'zod';

/** A refusal of the native API, with the fix it names. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string, fix: string) {
    super(fix ? `${message} ${fix}` : message);
    this.status = status;
    this.code = code;
  }
}

const TIMEOUT_MS = 20_000;
const BODY_LIMIT = 32 << 20;

interface Answer {
  status: number;
  text: string;
}

/** The region's local socket, whose opener counts as the first administrator; or its URL, with an API key. */
export type RegionAccess = string | { url: string; apiKey: string };

/** Where and as whom to ask, for Node's http.request. */
export function reach(access: RegionAccess): http.RequestOptions & { headers: Record<string, string> } {
  if (typeof access === 'string') return { socketPath: access, headers: { host: 'localhost' } };
  const { hostname: host, port, protocol } = new URL(access.url);
  if (protocol !== 'http:') throw new Error(`${access.url}: only http is spoken`);
  return { host, port: port === '' ? 80 : Number(port), headers: { authorization: `Bearer ${access.apiKey}` } };
}

export function nativeClient(access: RegionAccess) {
  const target = reach(access);
  const send = (method: string, path: string, body?: unknown): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const request = http.request(
        {
          ...target,
          method,
          path: NATIVE_BASE + path,
          timeout: TIMEOUT_MS,
          headers: {
            ...target.headers,
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          let size = 0;
          response.on('data', (part: Buffer) => {
            size += part.length;
            if (size > BODY_LIMIT) request.destroy(new Error(`${method} ${path}: more than ${BODY_LIMIT} bytes`));
            parts.push(part);
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS / 1000} s`)));
      request.on('error', reject);
      request.end(text);
    });

  const call = async <T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await send(method, path, body);
    const data: unknown = answer.text === '' ? null : JSON.parse(answer.text);
    if (answer.status >= 400) {
      const error = ApiError.safeParse(data);
      if (error.success) throw new ApiRefusal(answer.status, error.data.code, error.data.message, error.data.fix);
      throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
    }
    const parsed = schema.safeParse(data);
    if (!parsed.success)
      throw new Error(`${method} ${path}: not what the contract says: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
  const anything = z.unknown();
  const at = (systemId: string) => `/machines/${encodeURIComponent(systemId)}`;

  return {
    machines: () => call(z.array(MachineView), 'GET', '/machines'),
    machine: (systemId: string) => call(MachineDetail, 'GET', at(systemId)),
    attempts: (systemId: string) => call(z.array(AttemptView), 'GET', `${at(systemId)}/attempts`),
    evidence: (systemId: string, attempt: number) =>
      call(z.array(EvidenceView), 'GET', `${at(systemId)}/attempts/${attempt}/evidence`),
    events: (systemId: string) => call(z.array(EventView), 'GET', `${at(systemId)}/events`),
    explain: (systemId: string) => call(z.array(Explain), 'GET', `${at(systemId)}/explain`),
    act: (systemId: string, action: string, request: ActionRequest = {}) =>
      call(MachineView, 'POST', `${at(systemId)}/actions/${action}`, request),
    allocate: (name: string) => call(MachineView, 'POST', '/machines/allocate', { name }),
    addSshKey: (key: string) => call(anything, 'POST', '/ssh-keys', { key }),
    images: () => call(z.array(ImageView), 'GET', '/images'),
    registerImage: (image: unknown) => call(anything, 'POST', '/images', image),
    serve: (cidr: string, start: string, end: string) => call(anything, 'POST', '/network/serve', { cidr, start, end }),
    subnets: () => call(z.array(z.looseObject({ id: z.number(), cidr: z.string() })), 'GET', '/network/subnets'),
    racks: () => call(z.array(RackView), 'GET', '/racks'),
    setSettings: (settings: Record<string, unknown>) => call(anything, 'POST', '/settings', settings),
    patch: (systemId: string, patch: MachinePatch) => call(MachineView, 'PATCH', at(systemId), patch),
    powerQuery: (systemId: string) => call(PowerStateView, 'POST', `${at(systemId)}/power-query`),
    whoAmI: () => call(WhoAmI, 'GET', '/whoami'),
    rackToken: () => call(RackToken, 'POST', '/racks/tokens'),
    apiKey: (username: string) => call(ApiKey, 'POST', `/users/${encodeURIComponent(username)}/api-keys`, {}),
    createUser: (username: string, password: string, admin: boolean) =>
      call(anything, 'POST', '/users', { username, password, admin }),
  };
}
export type NativeClient = ReturnType<typeof nativeClient>;
