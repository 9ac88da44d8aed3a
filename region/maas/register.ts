import type { FastifyInstance } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { regionIdentities } from './identities.ts';
import { startRenderer } from './machines/renderer.ts';
import { mountDialect } from './mount.ts';

/**
 * Serves the MAAS 2.0 dialect below /MAAS (api, accounts, account). Everything is registered in a scope of its own, so the
 * catch-all body parser does not reach other routes of the server. The caller listens; bodies are limited here.
 */
export async function registerMaasDialect(app: FastifyInstance, deps: RegionDeps): Promise<void> {
  await mountDialect(app, deps, regionIdentities(deps));
  const stop = startRenderer(deps);
  app.addHook('onClose', stop);
}
