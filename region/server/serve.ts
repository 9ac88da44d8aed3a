import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import { decide } from '@ingot/core/machine/decide.ts';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import type { Logger } from 'pino';
import { takeMachinesInTurn } from '../agentapi/in-turn.ts';
import { registerAgentApi } from '../agentapi/register.ts';
import { registerNativeApi } from '../api/register.ts';
import type { RegionDeps } from '../deps.ts';
import { openBlobStore } from '../images/blobs.ts';
import { startImages } from '../images/start.ts';
import { createDoor } from '../lifecycle/door.ts';
import { type Loops, startLoops } from '../lifecycle/loops.ts';
import { registerMaasDialect } from '../maas/register.ts';
import { registerMetadata } from '../metadata/register.ts';
import { identifyPeer } from '../racklink/peer.ts';
import { registerRackLink } from '../racklink/register.ts';
import { startChangeFeed } from '../store/changes.ts';
import { databaseTrouble } from '../store/pg-error.ts';
import { answerBadUrl } from './bad-url.ts';
import type { ListenAddress } from './command-line.ts';
import { registerHealth } from './health.ts';
import { isLocalAdmin, type Listening, listen } from './listen.ts';
import { registerMetrics } from './metrics.ts';
import type { OpenState } from './open-state.ts';
import { listenForRacks, type RackListener } from './rack-listener.ts';
import { REQUEST_LIMITS, type RequestLimits, serverOptions } from './request-limits.ts';
import { registerWebUi } from './web-ui.ts';

export interface ServeOptions {
  state: OpenState;
  stateDir: string;
  tcp: ListenAddress;
  /** Where racks of other hosts come in, and names by which they do; null: nowhere. */
  racks: { listen: ListenAddress; names: readonly string[] } | null;
  /** Built web UI. */
  webDir: string;
  /** Of the TCP listener; shorter in tests. */
  limits?: RequestLimits;
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
  let racks: RackListener | null = null;
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
    rackDoor: () => racks?.door ?? null,
  };
  const people = { ...deps, ...state.people };
  const app = await application(deps, people, options.webDir, options.limits ?? REQUEST_LIMITS);
  const run = path.join(stateDir, 'run');
  let listening: Listening;
  try {
    // First: without it nothing is open yet that would have to be closed again.
    racks = options.racks && (await forRacks(app, deps, options.racks));
    const [apiSocket, rackSocket] = [path.join(run, 'api.sock'), path.join(run, 'rack.sock')];
    listening = await listen(app, { tcp: options.tcp, apiSocket, rackSocket });
  } catch (error) {
    await racks?.close();
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
      await Promise.all([racks?.close(), listening.close(), loopsRunning.stop()]);
      await changes.stop();
    },
  };
}

function forRacks(
  app: FastifyInstance,
  deps: RegionDeps,
  { listen: address, names }: NonNullable<ServeOptions['racks']>,
): Promise<RackListener> {
  return listenForRacks(app, {
    address,
    names,
    tlsDir: path.join(deps.stateDir, 'tls'),
    log: deps.log,
    async admit(request) {
      const asking = await identifyPeer(deps, request);
      return asking.ok ? null : asking.refusal;
    },
  });
}

async function application(
  deps: RegionDeps,
  people: RegionDeps,
  webDir: string,
  limits: RequestLimits,
): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: false,
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
    keepAliveTimeout: 65_000,
    requestTimeout: limits.requestMs,
    http: serverOptions(limits),
    frameworkErrors: answerBadUrl,
    // Paths of the dialect are exact to the slash.
    routerOptions: { ignoreTrailingSlash: false, ignoreDuplicateSlashes: false, maxParamLength: 512 },
  });
  app.server.maxConnections = limits.connections;
  app.decorateRequest('localAdmin', false);
  app.addHook('onRequest', async (request) => {
    request.localAdmin = isLocalAdmin(request.raw);
  });
  app.setErrorHandler((error: { statusCode?: number; message?: string }, request, reply) => {
    const trouble = databaseTrouble(error);
    if (trouble !== null) {
      const text = refusal(trouble.code, { why: trouble.why }).message;
      return reply.code(503).header('retry-after', '2').type('text/plain; charset=utf-8').send(text);
    }
    const status = error.statusCode ?? 500;
    // Parts with error shapes of their own have their own handlers; what comes here is health, metrics, the UI.
    if (status >= 500) deps.log.error({ err: error, method: request.method, url: request.url }, 'unforeseen error');
    const text = status >= 500 ? 'Internal Server Error' : (error.message ?? 'Bad Request');
    return reply.code(status).type('text/plain; charset=utf-8').send(text);
  });
  registerMetrics(app, deps, { machines: deps.pool, people: people.pool });
  registerHealth(app, deps);
  await registerMaasDialect(app, people);
  await registerNativeApi(app, people);
  takeMachinesInTurn(app);
  await registerMetadata(app, deps);
  await registerAgentApi(app, deps);
  await registerRackLink(app, deps);
  registerWebUi(app, webDir);
  await app.ready();
  return app;
}
