import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { decide } from '@ingot/core/machine/decide.ts';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import type { Logger } from 'pino';
import { registerAgentApi } from '../agentapi/register.ts';
import { registerNativeApi } from '../api/register.ts';
import type { RegionDeps } from '../deps.ts';
import { openBlobStore } from '../images/blobs.ts';
import { startImages } from '../images/start.ts';
import { createDoor } from '../lifecycle/door.ts';
import { type Loops, startLoops } from '../lifecycle/loops.ts';
import { registerMaasDialect } from '../maas/register.ts';
import { registerMetadata } from '../metadata/register.ts';
import { registerRackLink } from '../racklink/register.ts';
import { startChangeFeed } from '../store/changes.ts';
import type { ListenAddress } from './command-line.ts';
import { registerHealth } from './health.ts';
import { isLocalAdmin, type Listening, listen } from './listen.ts';
import { registerMetrics } from './metrics.ts';
import type { OpenState } from './open-state.ts';
import { registerWebUi } from './web-ui.ts';

export interface ServeOptions {
  state: OpenState;
  stateDir: string;
  tcp: ListenAddress;
  /** Built web UI. */
  webDir: string;
  log: Logger;
}

export interface RunningRegion {
  port: number;
  /** Cuts connections, ends the loops. The database stays open: whoever opened it closes it. */
  stop(): Promise<void>;
}

/** Puts the parts of the region together and serves. */
export async function serveRegion(options: ServeOptions): Promise<RunningRegion> {
  const { state, stateDir, log } = options;
  const changes = await startChangeFeed(state, state.address, log);
  let loops: Loops | null = null;
  const door = createDoor({
    db: state.db,
    sealer: state.sealer,
    decide,
    committed: (due) => {
      changes.announce();
      if (due) loops?.wake();
    },
  });
  const deps: RegionDeps = {
    db: state.db,
    pool: state.pool,
    sealer: state.sealer,
    blobs: openBlobStore(path.join(stateDir, 'blobs')),
    door,
    changes,
    log,
    process: `${os.hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`,
    stateDir,
  };
  const app = await application(deps, options.webDir);
  const run = path.join(stateDir, 'run');
  let listening: Listening;
  try {
    const [apiSocket, rackSocket] = [path.join(run, 'api.sock'), path.join(run, 'rack.sock')];
    listening = await listen(app, { tcp: options.tcp, apiSocket, rackSocket });
  } catch (error) {
    await changes.stop();
    await app.close();
    throw error;
  }
  const loopsRunning = startLoops(deps);
  loops = loopsRunning;
  const stopImages = startImages(deps);
  return {
    port: listening.port,
    async stop() {
      stopImages();
      await Promise.all([listening.close(), loopsRunning.stop()]);
      await changes.stop();
    },
  };
}

async function application(deps: RegionDeps, webDir: string): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: false,
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
    keepAliveTimeout: 65_000,
    // Paths of the dialect are exact to the slash.
    routerOptions: { ignoreTrailingSlash: false, ignoreDuplicateSlashes: false, maxParamLength: 512 },
  });
  app.decorateRequest('localAdmin', false);
  app.addHook('onRequest', async (request) => {
    request.localAdmin = isLocalAdmin(request.raw);
  });
  app.setErrorHandler((error: { statusCode?: number; message?: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    // Parts with error shapes of their own have their own handlers; what comes here is health, metrics, the UI.
    if (status >= 500) deps.log.error({ err: error, method: request.method, url: request.url }, 'unforeseen error');
    const text = status >= 500 ? 'Internal Server Error' : (error.message ?? 'Bad Request');
    return reply.code(status).type('text/plain; charset=utf-8').send(text);
  });
  registerMetrics(app, deps);
  registerHealth(app, deps);
  await registerMaasDialect(app, deps);
  await registerNativeApi(app, deps);
  await registerMetadata(app, deps);
  await registerAgentApi(app, deps);
  await registerRackLink(app, deps);
  registerWebUi(app, webDir);
  await app.ready();
  return app;
}
