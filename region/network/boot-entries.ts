import type { BootEntry } from '@ingot/contract/rack.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';

interface Row {
  system_id: string;
  hostname: string;
  boot_target: BootEntry['target'];
  architecture: string;
  attempt: number | null;
  status: string;
  macs: string[];
  kernel_opts: string | null;
}

/**
 * What racks answer these machines' network boots with (all machines without `systemIds`). A ticket may only be issued
 * while an attempt is open and the machine is meant to boot for it: its power-on was ordered, or a person switches it;
 * and to a machine in rescue mode, whose attempt has ended but whose system may be restarted by its user.
 * A machine without a known card cannot be recognised and has no entry.
 */
export async function bootEntries(
  db: Kysely<Tables> | Transaction<Tables>,
  systemIds?: readonly string[],
): Promise<BootEntry[]> {
  const chosen = systemIds === undefined ? sql`true` : sql`m.system_id = ANY(${[...systemIds]}::text[])`;
  const { rows } = await sql<Row>`
    SELECT m.system_id, m.hostname, m.boot_target, m.architecture, i.macs, t.kernel_opts,
      m.status,
      CASE WHEN (a.ended IS NULL OR m.status = 'RESCUE_MODE') AND a.phase <> 'power-off'
        AND m.power_want IS DISTINCT FROM 'off' THEN a.id END AS attempt
    FROM machines m
    JOIN LATERAL (SELECT array_agg(mac ORDER BY id) AS macs FROM interfaces
      WHERE machine_id = m.id AND type = 'physical' AND mac IS NOT NULL) i ON i.macs IS NOT NULL
    LEFT JOIN attempts a ON a.id = m.attempt_id
    LEFT JOIN LATERAL (SELECT string_agg(tags.kernel_opts, ' ' ORDER BY tags.name) AS kernel_opts
      FROM machine_tags mt JOIN tags ON tags.id = mt.tag_id
      WHERE mt.machine_id = m.id AND tags.kernel_opts <> '') t ON true
    WHERE ${chosen} ORDER BY m.id`.execute(db);
  return rows.map((row) => ({
    systemId: row.system_id,
    hostname: row.hostname,
    macs: row.macs,
    target: row.boot_target,
    attempt: row.attempt,
    enlist: row.status === 'NEW' && row.attempt === null,
    architecture: row.architecture,
    kernelOptions: row.kernel_opts ?? '',
  }));
}
