import { HttpFailure } from '../http/failure.ts';

/**
 * Why a Redfish service did not do what was asked. `auth` and `setting` will fail the same way again; `connection` and
 * `action` may pass when tried again; `fatal` means the service speaks something we do not understand, or must not follow.
 */
export type RedfishFailureClass = 'auth' | 'setting' | 'connection' | 'action' | 'fatal';

/** Names that a service gives go into messages, and a service may say anything. */
const LONGEST_MESSAGE = 600;

export class RedfishFailure extends Error {
  readonly failure: RedfishFailureClass;
  /** Of the HTTP answer, where there was one. */
  readonly status: number | null;
  constructor(failure: RedfishFailureClass, message: string, status: number | null = null) {
    super(message.slice(0, LONGEST_MESSAGE));
    this.name = 'RedfishFailure';
    this.failure = failure;
    this.status = status;
  }
}

/** A failed exchange in Redfish's terms; anything else is passed on as it is. */
export function redfishFailure(error: unknown): unknown {
  return error instanceof HttpFailure ? new RedfishFailure(error.failure, error.message) : error;
}

const LONGEST_REASON = 300;

/**
 * What an error body says: the messages of `error.@Message.ExtendedInfo`, else `error.message` (DSP0266 section 8.6).
 * Some services put the extended messages beside `error`, some give one where a list is due.
 */
export function reasonOf(body: unknown): string {
  const error = member(body, 'error');
  const extended = member(error, '@Message.ExtendedInfo') ?? member(body, '@Message.ExtendedInfo');
  const list = Array.isArray(extended) ? extended : [extended];
  const messages = list.map((each) => member(each, 'Message')).filter((text) => typeof text === 'string');
  const plain = member(error, 'message');
  const text = messages.length > 0 ? messages.join(' ') : typeof plain === 'string' ? plain : '';
  return text.replace(/\s+/g, ' ').trim().slice(0, LONGEST_REASON);
}

/** A member of a JSON object; undefined when there is none. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value)).get(name);
}

/** A member that is text; empty when there is none. */
export function text(value: unknown, name: string): string {
  const found = member(value, name);
  return typeof found === 'string' ? found : '';
}

/** A member that is a list of texts; empty when there is none. */
export function texts(value: unknown, name: string): string[] {
  const found = member(value, name);
  return Array.isArray(found) ? found.filter((each): each is string => typeof each === 'string') : [];
}
