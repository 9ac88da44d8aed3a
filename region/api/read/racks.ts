import { RackView } from '@ingot/contract/native.ts';
import type { Kysely } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** A link whose region process has not beaten for this long is dead. */
const LINK_DEAD_MS = 15_000;

export async function racksOf(db: Kysely<Tables>): Promise<RackView[]> {
  const rows = await db
    .selectFrom('racks as r')
    .leftJoin('rack_links as l', 'l.rack_id', 'r.system_id')
    .select(['r.system_id', 'r.name', 'r.version', 'r.services', 'r.last_seen', 'l.heartbeat'])
    .orderBy('r.name')
    .execute();
  const now = Date.now();
  return rows.map((row) => ({
    id: row.system_id,
    name: row.name,
    connected: row.heartbeat !== null && now - row.heartbeat.getTime() < LINK_DEAD_MS,
    version: row.version,
    lastSeen: row.last_seen?.toISOString() ?? null,
    services: RackView.shape.services.catch([]).parse(row.services),
  }));
}
