import type { PowerWork } from '@ingot/contract/rack.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { readPowerParameters } from '../store/power-parameters.ts';

/** Orders handed over at once; the next look is 250 ms later. */
const BATCH = 200;
/** After a reconnect, all at once: what was sent over the old link and got lost is not asked for again by itself. */
const ALL = 10_000;

const ACTIONS: readonly string[] = ['on', 'off', 'cycle', 'query'] satisfies PowerWork['action'][];

function isAction(text: string): text is PowerWork['action'] {
  return ACTIONS.includes(text);
}

/**
 * Orders for a rack that it was not sent yet, or (`all`) that are not finished: after a reconnect it gets those again and
 * knows by their id what it has done. They are marked as sent before they go, so that nothing drops a known order; a link
 * that a newer one replaced gets none, because what it sends may reach nobody.
 */
export async function takeWork(
  deps: Pick<RegionDeps, 'db' | 'sealer' | 'log'>,
  link: { rackId: string; epoch: number },
  all: boolean,
): Promise<PowerWork[]> {
  const { rows } = await sql<{
    id: number;
    system_id: string;
    attempt_id: number | null;
    generation: number;
    action: string;
    soft: boolean;
    boot_from: string | null;
    bios_boot_method: string | null;
    hardware_uuid: string | null;
  }>`
    WITH open AS (
      SELECT id FROM rack_work
      WHERE rack_id = ${link.rackId} AND machine_id IS NOT NULL AND state = ANY(${all ? ['queued', 'sent'] : ['queued']}::text[])
        AND EXISTS (SELECT 1 FROM rack_links l WHERE l.rack_id = ${link.rackId} AND l.epoch = ${link.epoch})
      ORDER BY id LIMIT ${all ? ALL : BATCH} FOR UPDATE SKIP LOCKED
    )
    UPDATE rack_work w SET state = 'sent', sent = coalesce(w.sent, now())
    FROM open, machines m
    WHERE w.id = open.id AND m.id = w.machine_id
    RETURNING w.id, m.system_id, w.attempt_id, w.generation, w.action, w.soft, w.boot_from, m.bios_boot_method, m.hardware_uuid
  `.execute(deps.db);
  const work: PowerWork[] = [];
  for (const row of rows.sort((a, b) => a.id - b.id)) {
    const { action } = row;
    if (!isAction(action)) {
      deps.log.error({ work: row.id, action }, 'order of an unknown kind left undone');
      continue;
    }
    const { type, parameters } = await readPowerParameters(deps, row.system_id);
    work.push({
      id: row.id,
      kind: 'power',
      systemId: row.system_id,
      attempt: row.attempt_id,
      generation: row.generation,
      action,
      soft: row.soft,
      bootFrom: row.boot_from === 'network' || row.boot_from === 'disk' ? row.boot_from : null,
      firmware: row.bios_boot_method === 'uefi' ? 'uefi' : row.bios_boot_method === 'pxe' ? 'bios' : 'auto',
      powerType: type,
      hardwareUuid: row.hardware_uuid,
      parameters,
    });
  }
  return work;
}
