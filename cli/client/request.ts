import http from 'node:http';
import https from 'node:https';
import { ApiError, NATIVE_BASE } from '@ingot/contract/native.ts';
import type { z } from 'zod';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import type { Connection } from './connection.ts';

const ANSWER_LIMIT = 256 * 2 ** 20;

/** The region could not be reached: worth another try while waiting, the end of any other command. */
export class Unreachable extends CliFailure {
  constructor(message: string) {
    super(message, { exitCode: EXIT.failed, fix: 'see whether it runs: ingot doctor' });
    this.name = 'Unreachable';
  }
}

export interface Client {
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  getText(path: string): Promise<string>;
  /** Undefined body sends none. */
  post<T>(path: string, body: unknown, schema: z.ZodType<T>, timeoutMs?: number): Promise<T>;
  /** The bytes of a file, or a piece of it. */
  putBytes<T>(path: string, bytes: Buffer, schema: z.ZodType<T>, timeoutMs?: number): Promise<T>;
  /** For calls that answer 204, or nothing of interest. */
  send(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<string>;
}

export function clientOf(connection: Connection, timeoutMs = 30_000): Client {
  const parsed = <T>(text: string, schema: z.ZodType<T>, path: string): T => {
    const result = schema.safeParse(jsonOf(text));
    if (result.success) return result.data;
    throw new CliFailure(`the region's answer to ${path} is not understood: ${result.error.issues[0]?.message ?? ''}`, {
      exitCode: EXIT.failed,
      fix: 'use the ingot command of the same version as the region',
    });
  };
  return {
    get: async (path, schema) => parsed(await ask(connection, 'GET', path, undefined, timeoutMs), schema, path),
    getText: (path) => ask(connection, 'GET', path, undefined, timeoutMs),
    post: async (path, body, schema, limit) =>
      parsed(await ask(connection, 'POST', path, body, limit ?? timeoutMs), schema, path),
    putBytes: async (path, bytes, schema, limit) =>
      parsed(await ask(connection, 'PUT', path, bytes, limit ?? timeoutMs), schema, path),
    send: (method, path, body) => ask(connection, method, path, body, timeoutMs),
  };
}

async function ask(
  connection: Connection,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<string> {
  const { status, text } = await exchange(connection, method, NATIVE_BASE + path, body, timeoutMs);
  if (status >= 200 && status < 300) return text;
  throw refusalOf(status, text);
}

function refusalOf(status: number, text: string): CliFailure {
  const problem = ApiError.safeParse(jsonOf(text));
  if (!problem.success) {
    return new CliFailure(`the region answered ${status}: ${text.slice(0, 200) || 'nothing'}`, {
      exitCode: exitCodeOf(status),
    });
  }
  const { message, fix, code } = problem.data;
  return new CliFailure(message.replace(/\.$/, ''), { exitCode: exitCodeOf(status), fix, code });
}

/** What was asked for wrongly is 2; what is not allowed or not possible now (no rack, no address left) is 4; what broke is 1. */
export function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403 || status === 409 || status === 503) return EXIT.refused;
  if (status >= 400 && status < 500 && status !== 429) return EXIT.usage;
  return EXIT.failed;
}

/** One HTTP exchange with a deadline for the whole of it. */
export function exchange(
  connection: Connection,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const payload = body === undefined ? null : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'ingot-cli' };
  if (payload !== null) {
    headers['content-type'] = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json';
    headers['content-length'] = String(payload.length);
  }
  if (connection.kind === 'url') headers.authorization = `Bearer ${connection.apiKey}`;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const unreachable = (error: Error) => {
      const where = connection.kind === 'socket' ? connection.path : connection.url;
      const why = signal.aborted ? `no answer within ${timeoutMs / 1000} s` : error.message;
      reject(new Unreachable(`the region at ${where} cannot be reached: ${why}`));
    };
    const receive = (response: http.IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_LIMIT) response.destroy(new Error('the answer is larger than 256 MiB'));
        else chunks.push(chunk);
      });
      response.on('error', unreachable);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    };
    const options = { method, headers, signal };
    const request =
      connection.kind === 'socket'
        ? http.request({ ...options, socketPath: connection.path, path }, receive)
        : (connection.url.startsWith('https:') ? https : http).request(connection.url + path, options, receive);
    request.on('error', unreachable);
    request.end(payload ?? undefined);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
