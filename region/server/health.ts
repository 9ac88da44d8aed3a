import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { LINK_FRESH_SECONDS } from '../lifecycle/load.ts';

/** GET /healthz → 200 {ok, database, racks}, 503 while the database does not answer. No login: it tells no secret. */
export function registerHealth(app: FastifyInstance, deps: RegionDeps): void {
  app.get('/healthz', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    try {
      const { rows } = await sql<{ racks: number }>`
        SELECT count(*) AS racks FROM rack_links
        WHERE heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})`.execute(deps.db);
      return { ok: true, database: true, racks: rows[0]?.racks ?? 0 };
    } catch (error) {
      deps.log.warn({ err: error }, 'health check: the database does not answer');
      return reply.code(503).send({ ok: false, database: false, racks: 0 });
    }
  });
}
