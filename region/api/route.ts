import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { RegionDeps } from '../deps.ts';
import { badInput, failureFor } from './failure.ts';
import type { Principal } from './principal.ts';

/** Who may call: anybody, anybody signed in, administrators, or only the region's own host over its socket. */
export type Access = 'anyone' | 'user' | 'admin' | 'local';

export interface RouteInput<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  /** Null only where access is 'anyone'. */
  principal: Principal | null;
  deps: RegionDeps;
  request: FastifyRequest;
  reply: FastifyReply;
}

interface Shape<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1, Fastify's form: /machines/:id */
  path: string;
  /** Name of the operation in OpenAPI; unique. */
  operation: string;
  summary: string;
  access: Access;
  params?: P;
  query?: Q;
  body?: B;
  /** The body is bytes (application/octet-stream): the handler takes them by `bytesOf(request)`. */
  takesBytes?: boolean;
  /** Null: 204 without a body. A string: the media type of what the handler sends itself. */
  answer: A;
  /** Largest body in bytes; default 64 KiB. */
  bodyLimit?: number;
}

/** A route as the server and OpenAPI see it: its shapes, and one call that checks the request and runs it. */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  operation: string;
  summary: string;
  access: Access;
  params: z.ZodType | undefined;
  query: z.ZodType | undefined;
  body: z.ZodType | undefined;
  takesBytes: boolean;
  answer: z.ZodType | string | null;
  bodyLimit: number;
  run(deps: RegionDeps, principal: Principal | null, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

type Answered<A> = A extends z.ZodType ? z.input<A> | ListOf<z.input<A>> : A extends null ? undefined : unknown;
type ListOf<T> = T extends readonly (infer One)[] ? JsonList<One> : never;

/** A list that is made into JSON part by part, as it is read: one that is long would hold the event loop as a whole. */
export class JsonList<One = unknown> {
  readonly #parts: Buffer[] = [];
  #length = 0;

  add(items: readonly One[]): void {
    if (items.length === 0) return;
    const part = Buffer.from(`${this.#parts.length === 0 ? '[' : ','}${JSON.stringify(items).slice(1, -1)}`);
    this.#parts.push(part);
    this.#length += part.length;
  }

  send(reply: FastifyReply): FastifyReply {
    const parts = [...this.#parts, Buffer.from(this.#parts.length === 0 ? '[]' : ']')];
    reply.header('content-type', 'application/json; charset=utf-8');
    reply.header('content-length', this.#length + (parts.at(-1)?.length ?? 0));
    return reply.send(Readable.from(parts));
  }
}

export function route<
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType | string | null = null,
>(
  shape: Shape<P, Q, B, A>,
  handle: (input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Answered<A>>,
): Route {
  return {
    method: shape.method,
    path: shape.path,
    operation: shape.operation,
    summary: shape.summary,
    access: shape.access,
    params: shape.params,
    query: shape.query,
    body: shape.body,
    takesBytes: shape.takesBytes ?? false,
    answer: shape.answer,
    bodyLimit: shape.bodyLimit ?? 65_536,
    run(deps, principal, request, reply) {
      const params = check(shape.params, request.params, 'path');
      const query = check(shape.query, request.query, 'query');
      const body = check(shape.body, shape.body ? (request.body ?? {}) : undefined, 'body');
      return handle({ params, query, body, principal, deps, request, reply });
    },
  };
}

/** With no schema the value is `undefined`, which is what the type then says. */
function check<S extends z.ZodType>(schema: S | undefined, value: unknown, place: 'body' | 'query' | 'path') {
  if (!schema) return undefined as z.output<S>;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badInput(parsed.error, place);
  return parsed.data;
}

/** The bytes of a request to a route with `takesBytes`. */
export function bytesOf(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  throw failureFor('input.media_type');
}

/** The principal of a route that is never called without one. */
export function signedIn(principal: Principal | null): Principal {
  if (principal) return principal;
  throw failureFor('auth.missing');
}
