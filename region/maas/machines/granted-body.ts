import { STATUS_NUMBERS } from '@ingot/core/machine/status.ts';
import { type Kysely, sql } from 'kysely';
import { batched } from '../../store/batched.ts';
import type { Tables } from '../../store/schema.ts';
import { toJson } from '../wire/json.ts';
import { type StateRow, stateFields } from './body.ts';
import { INFO } from './load.ts';
import { bodyAfterChange } from './stored.ts';

const TOGETHER = { size: 64, atOnce: 1 };

interface GrantedRow extends StateRow {
  id: number;
  body: string;
}

/** Reading for those who ask at the same time, by database. */
const readers = new WeakMap<object, (machineId: number) => Promise<string | null>>();

/**
 * The body of a machine that this process has just allocated; null when there is no such machine. Mostly it is the one
 * that was stored while the machine was Ready, with the fields that a grant changes put in: one statement for all who ask
 * at the same time, where rendering takes about twenty. The mark stays, so the next reader has it rendered.
 */
export async function bodyAfterGrant(db: Kysely<Tables>, machineId: number): Promise<string | null> {
  let read = readers.get(db);
  if (read === undefined) {
    read = batched(TOGETHER, async (ids) => {
      const rows = new Map((await grantedRows(db, ids)).map((row) => [row.id, row]));
      return ids.map((id) => {
        const row = rows.get(id);
        return row === undefined ? null : withState(row.body, row);
      });
    });
    readers.set(db, read);
  }
  return (await read(machineId)) ?? (await bodyAfterChange(db, machineId));
}

/**
 * Machines whose stored body lacks their allocation and nothing else. Why: the row is Allocated and the body is not (see
 * withState), so the change that allocated it is not in the body, and its mark lies there. With that single mark every
 * other change is in it. One statement, so all of it is of one moment. A body with copies of filesystems shows others when
 * Allocated, and is left to be rendered.
 */
async function grantedRows(db: Kysely<Tables>, ids: readonly number[]): Promise<GrantedRow[]> {
  const { rows } = await sql<GrantedRow>`
    SELECT m.id, b.body, u.username AS owner_name, m.locked, m.hwe_kernel, m.status, e.type AS event_type,
      e.description AS event_description, m.error_description, m.osystem, m.distro_series, m.ephemeral_deploy, m.netboot,
      m.power_state
    FROM machines m JOIN machine_bodies b ON b.machine_id = m.id LEFT JOIN users u ON u.id = m.owner_id
    LEFT JOIN LATERAL (SELECT type, description FROM events WHERE system_id = m.system_id AND level >= ${INFO}
      ORDER BY id DESC LIMIT 1) e ON true
    WHERE m.id = ANY(${ids}::integer[]) AND m.status = 'ALLOCATED' AND b.body IS NOT NULL
      AND (SELECT count(*) FROM body_dirty x WHERE x.machine_id = m.id) = 1
      AND NOT EXISTS (SELECT 1 FROM filesystems f LEFT JOIN partitions p ON p.id = f.partition_id
        JOIN block_devices d ON d.id = coalesce(f.device_id, p.device_id) WHERE f.acquired AND d.machine_id = m.id)`.execute(
    db,
  );
  return rows;
}

const READY = `\n    "status": ${STATUS_NUMBERS.READY},\n`;

/** The body of a Ready machine with these fields instead of its own; null when it is the body of another status. */
function withState(body: string, row: StateRow): string | null {
  if (!body.includes(READY)) return null;
  let text = '';
  let from = 0;
  for (const [key, value] of Object.entries(stateFields(row))) {
    // A line break in a string is escaped, so four spaces after one are those of the outermost level.
    const name = `\n    "${key}": `;
    const start = body.indexOf(name, from);
    const end = body.indexOf('\n', start + name.length);
    if (start < 0 || end < 0) return null;
    text += `${body.slice(from, start)}${name}${toJson(value)},`;
    from = end;
  }
  return text + body.slice(from);
}
