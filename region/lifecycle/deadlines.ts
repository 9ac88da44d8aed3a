import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { LINK_FRESH_SECONDS } from './load.ts';

const BATCH = 50;
/** After a deadline that changed nothing (a decision of core), its machine is left alone for this long. */
const REST_MS = 60_000;
/** A rack that has just come back first tells what it saw while it was away. */
const SETTLED_SECONDS = 5;
/** And carries out the orders that waited for it: as long as a BMC may take, and many of them at once. */
const ORDERS_SECONDS = 60;
/** After this long without its rack a machine is given up on what is known. */
const BLIND_HOURS = 1;

/** A link that is there, and has been for so many seconds. `l` is the link. */
const isSettled = (seconds: number) =>
  sql<boolean>`(l.heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS}) AND l.since < now() - make_interval(secs => ${seconds}))`;

/** A link that was there all the time of the attempt: nothing waited for it. */
const hasStayed = sql<boolean>`(l.heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS}) AND l.since < a.started)`;

/**
 * Past its power phase a machine is seen through its rack alone. While that one is away, or has come back a moment ago (the
 * region was away, the link was cut), silence says nothing about the machine. Nor does it in the power phase while an order
 * lies with a rack that is away, or the rack went before one was written; where no rack was there at all, that is what is
 * wrong. `a` is the attempt, `m` the machine.
 */
const blind = sql<boolean>`(a.id IS NOT NULL AND a.deadline > now() - make_interval(hours => ${BLIND_HOURS})
  AND CASE WHEN a.phase = 'power' THEN EXISTS (SELECT 1 FROM racks r
      WHERE (r.system_id IN (SELECT w.rack_id FROM rack_work w
          WHERE w.machine_id = m.id AND w.attempt_id = a.id AND w.state <> 'done' AND w.action <> 'query')
        OR (r.last_seen > a.started - make_interval(secs => ${ORDERS_SECONDS}) AND NOT EXISTS (SELECT 1 FROM rack_work w
          WHERE w.machine_id = m.id AND w.attempt_id = a.id AND w.action <> 'query'
            AND (w.state <> 'done' OR w.outcome IS NOT NULL))))
        AND NOT EXISTS (SELECT 1 FROM rack_links l WHERE l.rack_id = r.system_id
          AND (${isSettled(ORDERS_SECONDS)} OR ${hasStayed})))
    ELSE NOT EXISTS (SELECT 1 FROM rack_links l WHERE ${isSettled(SETTLED_SECONDS)}
      AND l.rack_id = coalesce((SELECT v.primary_rack FROM interfaces i JOIN vlans v ON v.id = i.vlan_id
        WHERE i.id = m.boot_interface_id), l.rack_id)) END)`;

type Deps = Pick<RegionDeps, 'db' | 'door' | 'log'>;

/** Finds passed deadlines by the partial indexes and puts each to the door. Made to be called every second. */
export function createDeadlineSweep(deps: Deps): () => Promise<void> {
  const resting = new Map<string, number>();
  return async () => {
    const now = performance.now();
    for (const [systemId, until] of resting) if (until < now) resting.delete(systemId);
    const skip = [...resting.keys()];
    const { rows } = await sql<{ system_id: string }>`
      SELECT m.system_id FROM machines m LEFT JOIN attempts a ON a.id = m.attempt_id AND a.ended IS NULL
      WHERE m.waiting_deadline <= now() AND NOT m.system_id = ANY(${skip}::text[]) AND NOT ${blind}
      UNION
      SELECT m.system_id FROM attempts a JOIN machines m ON m.attempt_id = a.id
      WHERE a.ended IS NULL AND a.deadline <= now() AND NOT m.system_id = ANY(${skip}::text[]) AND NOT ${blind}
      LIMIT ${BATCH}`.execute(deps.db);
    for (const { system_id } of rows) {
      try {
        const applied = await deps.door.apply(system_id, { type: 'deadline', actor: { kind: 'timer' } });
        if (!applied.ok || applied.note !== undefined) resting.set(system_id, now + REST_MS);
      } catch (error) {
        resting.set(system_id, now + REST_MS);
        deps.log.error({ err: error, machine: system_id }, 'a deadline could not be applied');
      }
    }
  };
}
