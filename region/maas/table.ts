import type { Readable } from 'node:stream';
import type { RegionDeps } from '../deps.ts';
import type { Json } from './wire/json.ts';
import type { UploadedFile } from './wire/multipart.ts';
import type { Values } from './wire/values.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Who calls; system users never reach a handler. */
export interface Person {
  id: number;
  name: string;
  admin: boolean;
}

/** One call as a handler sees it: authenticated and decoded. */
export interface Call {
  deps: RegionDeps;
  /** Path parameters, percent-decoded. */
  path: Readonly<Record<string, string>>;
  query: Values;
  /** GET and DELETE: the query. POST and PUT: the body. Without oauth_*; `op` stays. */
  values: Values;
  files: readonly UploadedFile[];
  raw: Buffer;
  /** Path with query as requested, for links to the next page. */
  requestPath: string;
  address: string | null;
  userAgent: string;
}

export interface UserCall extends Call {
  user: Person;
}

export type Reply =
  | { kind: 'json'; status: number; value: Json }
  /** JSON text made before (stored machine bodies). */
  | { kind: 'json-text'; text: string | Readable }
  | { kind: 'text'; status: number; text: string }
  | { kind: 'bytes'; contentType: string; bytes: Buffer; headers?: Record<string, string> }
  | { kind: 'empty' };

export const json = (value: Json, status = 200): Reply => ({ kind: 'json', status, value });
export const jsonText = (text: string | Readable): Reply => ({ kind: 'json-text', text });
export const text = (value: string, status = 200): Reply => ({ kind: 'text', status, text: value });
export const EMPTY: Reply = { kind: 'empty' };

interface OperationBase {
  /** Name in describe/ and in the CLI: the CRUD word, or the op. */
  name: string;
  method: Method;
  /** Null for the CRUD ones. */
  op: string | null;
  /** First paragraph = one-line help. The CLI offers `key=value` arguments only if the rest contains `:param`. */
  doc: string;
}

export type Operation = OperationBase &
  (
    | { access: 'anon'; handler: (call: Call) => Promise<Reply> }
    | { access: 'user' | 'admin'; handler: (call: UserCall) => Promise<Reply> }
  );

/** What one class of caller may do with a resource. */
export interface HandlerSpec {
  /** Ends in `Handler`; the CLI derives its command from it. */
  name: string;
  doc: string;
  operations: readonly Operation[];
}

/**
 * One resource. `paths` are templates below /MAAS/api/2.0/, the last one is the documented one. With only `anon` set the
 * resource takes no authentication at all.
 */
export interface Resource {
  paths: readonly string[];
  anon: HandlerSpec | null;
  auth: HandlerSpec | null;
}

const CRUD: Record<Method, string> = { GET: 'read', POST: 'create', PUT: 'update', DELETE: 'delete' };

export interface Parameter {
  name: string;
  type: 'String' | 'Int' | 'Boolean' | 'Float' | 'File';
  required?: boolean;
  about: string;
}

/** `{name}` for a parameter that must be given; the words go into docs and CLI help. */
export function parameter(
  name: string,
  about: string,
  type: Parameter['type'] = 'String',
  required = false,
): Parameter {
  return { name, about, type, required };
}

function docOf(title: string, body: string, parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return body === '' ? title : `${title}\n\n${body}`;
  const lines = parameters.map(
    (p) => `:param ${p.name}: ${p.required ? 'Required. ' : 'Optional. '}${p.about}\n:type ${p.name}: ${p.type}`,
  );
  return `${title}\n\n${body === '' ? title : body}\n\n${lines.join('\n')}\n\n `;
}

interface Words {
  title: string;
  body?: string;
  parameters?: readonly Parameter[];
}

/** A CRUD operation of the method. */
export function crud(
  method: Method,
  access: 'user' | 'admin',
  words: Words,
  handler: (call: UserCall) => Promise<Reply>,
): Operation {
  return { name: CRUD[method], method, op: null, access, handler, doc: wordsOf(words) };
}

/** An operation chosen by `op`. */
export function named(
  method: 'GET' | 'POST',
  op: string,
  access: 'user' | 'admin',
  words: Words,
  handler: (call: UserCall) => Promise<Reply>,
): Operation {
  return { name: op, method, op, access, handler, doc: wordsOf(words) };
}

/** An operation for callers without credentials; `op` null makes the CRUD one. */
export function anonymous(
  method: Method,
  op: string | null,
  words: Words,
  handler: (call: Call) => Promise<Reply>,
): Operation {
  return { name: op ?? CRUD[method], method, op, access: 'anon', handler, doc: wordsOf(words) };
}

const wordsOf = (words: Words): string => docOf(words.title, words.body ?? '', words.parameters ?? []);
