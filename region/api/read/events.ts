import type { EventView } from '@ingot/contract/native.ts';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import type { Principal } from '../principal.ts';

type Db = Kysely<Tables>;

const PAGE = 100;
const LEVELS: Record<number, string> = { 0: 'AUDIT', 10: 'DEBUG', 20: 'INFO', 30: 'WARNING', 40: 'ERROR' };

export interface EventQuery {
  /** Only of this machine. */
  systemId?: string;
  /** Only older ones than this id. */
  before?: number;
}

/**
 * Newest first, at most 100. Without a machine, others than administrators get the events of machines that they may see
 * and what they did themselves.
 */
export async function readEvents(db: Db, query: EventQuery, principal: Principal): Promise<EventView[]> {
  let rows = db
    .selectFrom('events')
    .select(['id', 'created', 'system_id', 'hostname', 'type', 'level', 'description', 'username'])
    .orderBy('id', 'desc')
    .limit(PAGE);
  if (query.systemId !== undefined) rows = rows.where('system_id', '=', query.systemId);
  if (query.before !== undefined) rows = rows.where('id', '<', query.before);
  if (query.systemId === undefined && !principal.admin) {
    rows = rows.where((eb) =>
      eb.or([
        eb('user_id', '=', principal.userId),
        sql<boolean>`EXISTS (SELECT FROM machines m WHERE m.system_id = events.system_id
          AND (m.owner_id IS NULL OR m.owner_id = ${principal.userId}))`,
      ]),
    );
  }
  return (await rows.execute()).map((row) => ({
    id: row.id,
    at: row.created.toISOString(),
    systemId: row.system_id,
    hostname: row.hostname,
    type: row.type,
    level: LEVELS[row.level] ?? String(row.level),
    description: row.description,
    user: row.username,
  }));
}
