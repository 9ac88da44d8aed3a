import type { ApiError } from '@ingot/contract/native.ts';
import type { Refusal } from '@ingot/core/machine/model.ts';
import { ZodError } from 'zod';
import { NotFound } from '../store/not-found.ts';
import { sqlState, UNIQUE_VIOLATION } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';

/** An answer of the native API that is not a success: HTTP status and the body that goes with it. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly body: ApiError;
  readonly retryAfterSeconds: number | null;
  constructor(status: number, body: Omit<ApiError, 'field'> & { field?: string }, retryAfterSeconds?: number) {
    super(body.message);
    this.name = 'ApiFailure';
    this.status = status;
    this.body = { code: body.code, message: body.message, field: body.field ?? null, fix: body.fix };
    this.retryAfterSeconds = retryAfterSeconds ?? null;
  }
}

export function noSuch(what: string, key: string): ApiFailure {
  return new ApiFailure(404, {
    code: `${what.toLowerCase().replaceAll(' ', '_')}.unknown`,
    message: `There is no ${what} "${key}".`,
    fix: 'Look at the list for what exists and may be seen by you.',
  });
}

/** The first refusal names the answer: a missing permission and a lock are 403, most others a conflict. */
export function refusedBy(refusals: readonly Refusal[]): ApiFailure {
  const first = refusals[0] ?? {
    code: 'status.wrong',
    message: 'This is not possible now.',
    fix: 'Ask explain for the reasons.',
  };
  return new ApiFailure(statusOf(first.code), first);
}

/** By the code's room, since the catalogue's own number is what the MAAS dialect owes its clients. */
function statusOf(code: string): number {
  if (code === 'locked' || code.startsWith('perm.')) return 403;
  if (code.startsWith('image.') || code === 'input.invalid') return 400;
  return code === 'rack.none' || code === 'net.ip_exhausted' ? 503 : 409;
}

/** Every error as an answer. Null: nobody foresaw it; the caller logs it and answers 500. */
export function failureOf(error: unknown): ApiFailure | null {
  if (error instanceof ApiFailure) return error;
  if (error instanceof NotFound) return noSuch(error.what, error.key);
  if (error instanceof Problem) {
    const status = { invalid: 400, conflict: 409, exhausted: 503 }[error.kind];
    return new ApiFailure(status, {
      code: error.code,
      message: error.message,
      fix: error.fix,
      ...(error.field === null ? {} : { field: error.field }),
    });
  }
  if (error instanceof ZodError) return badInput(error, 'body');
  if (sqlState(error) === UNIQUE_VIOLATION) {
    return new ApiFailure(409, {
      code: 'name.taken',
      message: 'Something with this name exists already.',
      fix: 'Choose another name.',
    });
  }
  return fromFastify(error);
}

/** The first thing wrong with what was sent, in words; `place` is where it was looked for. */
export function badInput(error: ZodError, place: 'body' | 'query' | 'path'): ApiFailure {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    return new ApiFailure(400, {
      code: 'input.unknown_key',
      message: `The ${place} has a key that is not known here: "${key}".`,
      field: [...issue.path, key].join('.'),
      fix: 'Leave it out; the keys are in /api/v1/openapi.json.',
    });
  }
  const field = issue?.path.join('.') ?? '';
  return new ApiFailure(400, {
    code: 'input.invalid',
    message: `${field === '' ? `The ${place}` : `"${field}"`}: ${issue?.message ?? 'is not valid'}.`,
    ...(field === '' ? {} : { field }),
    fix: 'Correct it; the accepted shape is in /api/v1/openapi.json.',
  });
}

/** Fastify's own refusals (body too large, not JSON, no such media type) carry a status and a stable code. */
function fromFastify(error: unknown): ApiFailure | null {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return null;
  const { statusCode, code } = error;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return null;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiFailure(413, {
        code: 'input.too_large',
        message: 'The body is larger than this call accepts.',
        fix: 'Send less; user data may have at most 1 MiB.',
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiFailure(415, {
        code: 'input.media_type',
        message: 'The body must be JSON.',
        fix: 'Send content-type: application/json.',
      });
    default:
      return new ApiFailure(statusCode, {
        code: 'input.invalid',
        message: error.message,
        fix: 'Send a well-formed JSON body.',
      });
  }
}
