import type { PowerWant } from '@ingot/core/machine/model.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';
import { LINK_FRESH_SECONDS } from './load.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

/**
 * The rack that shall speak to a machine's BMC: a connected one, rather the primary of the VLAN the machine boots in.
 * Null when no rack is connected.
 */
async function chooseRack(db: Db, machineId: number): Promise<string | null> {
  const { rows } = await sql<{ rack_id: string }>`
    SELECT l.rack_id FROM rack_links l
    LEFT JOIN machines m ON m.id = ${machineId}
    LEFT JOIN interfaces i ON i.id = m.boot_interface_id
    LEFT JOIN vlans v ON v.id = i.vlan_id
    WHERE l.heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})
    ORDER BY (v.primary_rack = l.rack_id) DESC NULLS LAST, l.rack_id LIMIT 1`.execute(db);
  return rows[0]?.rack_id ?? null;
}

export interface PowerOrder {
  machineId: number;
  systemId: string;
  attemptId: number | null;
  generation: number;
  action: PowerWant | 'query';
  soft: boolean;
  bootFrom: 'network' | null;
}

/**
 * Writes one order for a rack. Idempotent: while an order for the same want (generation) is open, it stands, and none is
 * added; that is what keeps a killed region from switching a machine twice. Queued orders of older wants are dropped.
 * Returns the order's id and whether it is new; null when no rack is connected, or the want is no more.
 */
export async function orderPower(
  trx: Transaction<Tables>,
  order: PowerOrder,
): Promise<{ id: number; isNew: boolean } | null> {
  // The machine's row serialises orders for it, also between processes.
  const machine = await trx
    .selectFrom('machines')
    .select(['power_want', 'generation'])
    .where('id', '=', order.machineId)
    .forNoKeyUpdate()
    .executeTakeFirst();
  const isQuery = order.action === 'query';
  // Whoever asks has read the want a while ago. Since then the machine may have proved that it runs, which took the order
  // of this want back: another one would cut the power of a machine at work.
  if (!isQuery && (machine?.power_want !== order.action || machine.generation !== order.generation)) return null;
  const open = await trx
    .selectFrom('rack_work')
    .select(['id', 'rack_id', 'state', 'generation', 'action'])
    .where('machine_id', '=', order.machineId)
    .where('state', '<>', 'done')
    .orderBy('id')
    .execute();
  const superseded: number[] = [];
  for (const work of open) {
    const same = work.generation === order.generation && (work.action === 'query') === isQuery;
    if (same && !(await isStranded(trx, work))) return { id: work.id, isNew: false };
    // Not yet sent, so no BMC has heard of it. A query does not drop an order to switch.
    if (work.state === 'queued' && (same || !isQuery)) superseded.push(work.id);
  }
  const rackId = await chooseRack(trx, order.machineId);
  if (rackId === null) return null;
  if (superseded.length > 0) {
    await trx
      .updateTable('rack_work')
      .set({ state: 'done', finished: sql<Date>`now()` })
      .where('id', 'in', superseded)
      .execute();
  }
  const { id } = await trx
    .insertInto('rack_work')
    .values({
      rack_id: rackId,
      machine_id: order.machineId,
      attempt_id: order.attemptId,
      generation: order.generation,
      action: order.action,
      soft: order.soft,
      boot_from: order.bootFrom,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  // Wakes the process that holds the rack's link; it would find the order by itself within 250 ms.
  await trx.insertInto('changes').values({ kind: 'machine', key: order.systemId }).execute();
  return { id, isNew: true };
}

/** Queued for a rack whose link is gone: another one may take it. */
async function isStranded(trx: Transaction<Tables>, work: { rack_id: string; state: string }): Promise<boolean> {
  if (work.state !== 'queued') return false;
  const { rows } = await sql<{ there: boolean }>`
    SELECT EXISTS (SELECT 1 FROM rack_links WHERE rack_id = ${work.rack_id}
      AND heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})) AS there`.execute(trx);
  return rows[0]?.there !== true;
}
