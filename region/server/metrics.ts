import { STATUSES } from '@ingot/core/machine/status.ts';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { Pool } from 'pg';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RegionDeps } from '../deps.ts';
import { LINK_FRESH_SECONDS } from '../lifecycle/load.ts';
import { type ModeColumns, modeOf } from '../network/mode.ts';

/**
 * GET /metrics in Prometheus' text form: this process, its requests, its connections to PostgreSQL by whom they are for,
 * and the site's machines and racks.
 */
export function registerMetrics(app: FastifyInstance, deps: RegionDeps, pools: Record<string, Pool>): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'ingot_http_request_seconds',
    help: 'Time from the request to the end of its answer, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    // The route's pattern, not the path: the number of label values stays small.
    const route = request.routeOptions.url ?? 'none';
    requests.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
  });
  new Gauge({
    name: 'ingot_machines',
    help: 'Machines by status.',
    labelNames: ['status'],
    registers: [registry],
    async collect() {
      const { rows } = await sql<{ status: string; count: number }>`
        SELECT status, count(*) AS count FROM machines GROUP BY status`.execute(deps.db);
      for (const status of STATUSES) this.set({ status }, rows.find((row) => row.status === status)?.count ?? 0);
    },
  });
  new Gauge({
    name: 'ingot_racks_connected',
    help: 'Racks whose link was heard of lately.',
    registers: [registry],
    async collect() {
      const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM rack_links
        WHERE heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})`.execute(deps.db);
      this.set(rows[0]?.count ?? 0);
    },
  });
  new Gauge({
    name: 'ingot_rack_work_open',
    help: 'Orders for racks that are not answered yet.',
    registers: [registry],
    async collect() {
      const { rows } = await sql<{ count: number }>`
        SELECT count(*) AS count FROM rack_work WHERE state <> 'done'`.execute(deps.db);
      this.set(rows[0]?.count ?? 0);
    },
  });
  new Gauge({
    name: 'ingot_foreign_dhcp_servers',
    help: 'DHCP servers that are none of ours, by VLAN (database id) and its mode.',
    labelNames: ['vlan', 'mode'],
    registers: [registry],
    async collect() {
      this.reset();
      const { rows } = await sql<ModeColumns & { id: number; count: number }>`
        SELECT v.id, v.dhcp_on, v.dhcp_proxy, v.relay_vlan_id, (SELECT count(*) FROM foreign_dhcp d WHERE d.vlan_id = v.id) AS count
        FROM vlans v WHERE v.dhcp_probed IS NOT NULL`.execute(deps.db);
      for (const row of rows) this.set({ vlan: String(row.id), mode: modeOf(row) }, row.count);
    },
  });
  new Gauge({
    name: 'ingot_dhcp_addresses',
    help: 'Dynamic addresses by subnet, as its DHCP server counts them: all there are, and those given.',
    labelNames: ['subnet', 'state'],
    registers: [registry],
    async collect() {
      this.reset();
      const { rows } = await sql<{ cidr: string; addresses: number; given: number }>`
        SELECT DISTINCT ON (s.id) s.cidr::text AS cidr, d.addresses, d.given
        FROM dhcp_pools d JOIN subnets s ON s.id = d.subnet_id ORDER BY s.id, d.updated DESC`.execute(deps.db);
      for (const { cidr, addresses, given } of rows) {
        this.set({ subnet: cidr, state: 'all' }, addresses);
        this.set({ subnet: cidr, state: 'given' }, given);
      }
    },
  });
  new Gauge({
    name: 'ingot_database_connections',
    help: 'Connections of this process, in use, idle and waited for.',
    labelNames: ['of', 'state'],
    registers: [registry],
    collect() {
      for (const [of, pool] of Object.entries(pools)) {
        this.set({ of, state: 'idle' }, pool.idleCount);
        this.set({ of, state: 'used' }, pool.totalCount - pool.idleCount);
        this.set({ of, state: 'waiting' }, pool.waitingCount);
      }
    },
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}
