import { ApiError, NATIVE_BASE } from '@ingot/contract/native.ts';
import type { Code } from '@ingot/core/machine/catalogue.ts';
import type { z } from 'zod';

/** What the native API refused, with its code and its fix, or that it could not be reached (`code` "offline"). */
export class Refused extends Error {
  readonly problem: ApiError;
  readonly status: number;
  constructor(problem: ApiError, status: number) {
    super(problem.message);
    this.problem = problem;
    this.status = status;
  }
}

const REQUEST_LIMIT_MS = 30_000;

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', 'x-ingot-csrf': '1' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(NATIVE_BASE + path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
  } catch (error) {
    throw new Refused(
      {
        code: 'web.offline' satisfies Code,
        message: `The region did not answer (${error instanceof Error ? error.message : String(error)}).`,
        field: null,
        fix: 'Check that Ingot is running, then try again.',
      },
      0,
    );
  }
  if (!response.ok) throw new Refused(await problemOf(response), response.status);
  return response;
}

async function problemOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const parsed = ApiError.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return {
    code: 'web.bad_answer' satisfies Code,
    message: text.slice(0, 400) || `The region answered ${response.status} ${response.statusText}.`,
    field: null,
    fix: 'Try again; if it stays, look at the region’s log.',
  };
}

export async function get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await (await send('GET', path)).json());
}

export async function getText(path: string): Promise<string> {
  return (await send('GET', path)).text();
}

/** `body` undefined sends none. The answer is parsed when a schema is given. */
export async function post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await (await send('POST', path, body)).json());
}

export async function patch<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await (await send('PATCH', path, body)).json());
}

/** What the region refused about one field of a form; null when it was about something else. */
export function fieldProblem(error: unknown, field: string): string | null {
  if (!(error instanceof Refused) || error.problem.field !== field) return null;
  const { message, fix } = error.problem;
  // The field's own name stands above it, and a form is no place for requests.
  const words = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  return fix.startsWith('GET ') ? words : `${words} ${fix}`;
}

export async function command(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
  await send(method, path, body);
}
