import type { ApiError } from '@ingot/contract/native.ts';
import { type Code, entryOf, type Params, refusal } from '@ingot/core/machine/catalogue.ts';
import type { Refusal } from '@ingot/core/machine/model.ts';
import { ZodError } from 'zod';
import { NotFound } from '../store/not-found.ts';
import { databaseTrouble, unstorable } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';

/** An answer of the native API that is not a success: HTTP status and the body that goes with it. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly body: ApiError;
  readonly retryAfterSeconds: number | null;
  constructor(status: number, body: Refusal & { field?: string | null }, retryAfterSeconds?: number) {
    super(body.message);
    this.name = 'ApiFailure';
    this.status = status;
    this.body = { code: body.code, message: body.message, field: body.field ?? null, fix: body.fix };
    this.retryAfterSeconds = retryAfterSeconds ?? null;
  }
}

interface Over {
  field?: string | undefined;
  message?: string;
  fix?: string;
  retryAfterSeconds?: number;
  status?: number;
}

/** The catalogue's entry as an answer; `over` says more exactly what is wrong with this request. */
export function failureFor(code: Code, params: Params = {}, over: Over = {}): ApiFailure {
  const status = over.status ?? entryOf(code)?.http ?? 400;
  return new ApiFailure(status, { ...refusal(code, params, over), field: over.field }, over.retryAfterSeconds);
}

export function noSuch(what: string, key: string): ApiFailure {
  return failureFor('not_found', {}, { message: `There is no ${what} "${key}", or you may not see it.` });
}

/** The first refusal names the answer: a missing permission and a lock are 403, most others a conflict. */
export function refusedBy(refusals: readonly Refusal[]): ApiFailure {
  const first = refusals[0];
  if (first === undefined) throw new Error('refused without a reason');
  return new ApiFailure(statusOf(first.code), first);
}

/** By the code's room, since the catalogue's own number is what the MAAS dialect owes its clients. */
function statusOf(code: Code): number {
  if (code === 'locked' || code.startsWith('perm.')) return 403;
  if (code.startsWith('image.')) return 400;
  return code === 'rack.none' || code === 'net.ip_exhausted' ? 503 : 409;
}

/** Every error as an answer. Null: nobody foresaw it; the caller logs it and answers 500. */
export function failureOf(error: unknown): ApiFailure | null {
  if (error instanceof ApiFailure) return error;
  if (error instanceof NotFound) return noSuch(error.what, error.key);
  if (error instanceof Problem) {
    const status = { invalid: 400, conflict: 409, exhausted: 503 }[error.kind];
    return new ApiFailure(status, error);
  }
  if (error instanceof ZodError) return badInput(error, 'body');
  const trouble = databaseTrouble(error);
  if (trouble !== null) return failureFor(trouble.code, { why: trouble.why }, { retryAfterSeconds: 2 });
  const why = unstorable(error);
  if (why !== null) return failureFor('input.invalid', { what: 'A value cannot be stored', why });
  return fromFastify(error);
}

/** The first thing wrong with what was sent, in words; `place` is where it was looked for. */
export function badInput(error: ZodError, place: 'body' | 'query' | 'path'): ApiFailure {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    return failureFor('input.unknown_key', { what: `The ${place}`, key }, { field: [...issue.path, key].join('.') });
  }
  const field = issue?.path.join('.') ?? '';
  const what = field === '' ? `The ${place}` : `"${field}"`;
  const params = { what, why: issue?.message ?? 'is not valid' };
  return failureFor('input.invalid', params, { field: field === '' ? undefined : field });
}

/** Fastify's own refusals (body too large, not JSON, no such media type) carry a status and a stable code. */
function fromFastify(error: unknown): ApiFailure | null {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return null;
  const { statusCode, code } = error;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return null;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return failureFor('input.too_large');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return failureFor('input.media_type');
    default: {
      const { message } = error;
      return failureFor('input.invalid', {}, { status: statusCode, message, fix: 'Send a well-formed JSON body.' });
    }
  }
}
