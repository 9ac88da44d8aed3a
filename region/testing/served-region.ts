import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { createToken, formatToken } from '../accounts/api-tokens.ts';
import { createUser } from '../accounts/users.ts';
import { startPrivateCluster } from '../postgres/cluster.ts';
import type { RequestLimits } from '../server/request-limits.ts';
import { serveRegion } from '../server/serve.ts';
import type { Database } from '../store/database.ts';
import { createSealer } from '../store/sealer.ts';
import { silentLog, startTestCluster } from './cluster.ts';

export interface Answer {
  status: number;
  type: string;
  headers: http.IncomingHttpHeaders;
  text: string;
}

export interface Question {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | string | undefined;
  /** Over the socket of the local administrator. */
  local?: boolean;
}

/** A whole region behind real sockets, on a database of its own. */
export interface ServedRegion {
  port: number;
  dir: string;
  deps: Database & { sealer: ReturnType<typeof createSealer> };
  /** API key of an administrator. */
  apiKey: string;
  /** Lines of level error in its log. */
  errors: string[];
  /** Its PostgreSQL, which nobody watches. */
  cluster: { pid(): number; restart(): Promise<void> };
  ask(question: Question): Promise<Answer>;
  stop(): Promise<void>;
}

const SILENCE_MS = 20_000;

export async function startServedRegion(limits?: RequestLimits): Promise<ServedRegion> {
  const cluster = await startTestCluster();
  const database = await cluster.database();
  const dir = await mkdtemp(path.join(tmpdir(), 'ingot-served-'));
  await mkdir(path.join(dir, 'run'));
  const sealer = createSealer(Buffer.alloc(32, 7));
  const errors: string[] = [];
  const region = await serveRegion({
    state: { ...database, people: database, sealer, cluster: null },
    stateDir: dir,
    tcp: { host: '127.0.0.1', port: 0 },
    racks: null,
    webDir: dir,
    log: pino({ level: 'error' }, { write: (line: string) => void errors.push(line) }),
    ...(limits ? { limits } : {}),
  });
  const deps = { ...database, sealer };
  const user = await createUser(deps, { username: 'admin', password: 'admin-password', isAdmin: true });
  const apiKey = formatToken(await createToken(deps, user.id));

  function ask({ method, path: at, headers = {}, body, local = false }: Question): Promise<Answer> {
    const target = local ? { socketPath: path.join(dir, 'run/api.sock') } : { host: '127.0.0.1', port: region.port };
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const all = { host: 'localhost', ...headers, ...length };
    return new Promise((resolve, reject) => {
      const request = http.request({ ...target, method, path: at, headers: all, agent: false }, (response) => {
        const parts: Buffer[] = [];
        const type = String(response.headers['content-type'] ?? '');
        response.on('data', (part: Buffer) => {
          parts.push(part);
          // A stream has no end; that it began is all that is asked for here.
          if (type.includes('event-stream')) response.destroy();
        });
        response.on('close', () =>
          resolve({
            status: response.statusCode ?? 0,
            type,
            headers: response.headers,
            text: Buffer.concat(parts).toString(),
          }),
        );
      });
      request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`${method} ${at}: no answer`)));
      request.on('error', reject);
      request.end(body);
    });
  }

  let server = cluster.cluster;
  return {
    cluster: {
      pid: () => server.pid,
      async restart() {
        server = await startPrivateCluster({ stateDir: cluster.stateDir, log: silentLog, durable: false });
      },
    },
    port: region.port,
    dir,
    deps,
    apiKey,
    errors,
    ask,
    async stop() {
      await region.stop();
      await cluster.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
