import type { ScriptResultView } from '@ingot/contract/native.ts';
import type { Kysely } from 'kysely';
import { RESULT_STATUS_NAMES, SET_KINDS } from '../../lifecycle/result-status.ts';
import type { Tables } from '../../store/schema.ts';

type Db = Kysely<Tables>;

const SHOWN = 500;

/** Results of every kept set, newest set first, scripts in the order in which they ran. */
export async function resultsOf(db: Db, machineId: number): Promise<ScriptResultView[]> {
  const rows = await db
    .selectFrom('script_results as r')
    .innerJoin('script_sets as s', 's.id', 'r.set_id')
    .select((eb) => [
      'r.id',
      's.type',
      'r.name',
      'r.status',
      'r.exit_status',
      'r.started',
      'r.ended',
      eb.fn<number>('length', ['r.output']).as('size'),
    ])
    .where('s.machine_id', '=', machineId)
    .orderBy('s.id', 'desc')
    .orderBy('r.id')
    .limit(SHOWN)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    set: SET_KINDS[row.type] ?? 'commissioning',
    name: row.name,
    status: RESULT_STATUS_NAMES[row.status] ?? String(row.status),
    exitStatus: row.exit_status,
    startedAt: row.started?.toISOString() ?? null,
    endedAt: row.ended?.toISOString() ?? null,
    seconds: row.started && row.ended ? (row.ended.getTime() - row.started.getTime()) / 1000 : null,
    size: row.size,
  }));
}

/** The combined output of one script. Null: not a result of this machine. */
export async function outputOf(db: Db, machineId: number, resultId: number): Promise<Buffer | null> {
  const row = await db
    .selectFrom('script_results as r')
    .innerJoin('script_sets as s', 's.id', 'r.set_id')
    .select('r.output')
    .where('r.id', '=', resultId)
    .where('s.machine_id', '=', machineId)
    .executeTakeFirst();
  return row?.output ?? null;
}
