import { type Kysely, type Selectable, sql } from 'kysely';
import { BUILTIN_SCRIPTS } from '../../lifecycle/builtin-scripts.ts';
import type { ScriptResultsTable, ScriptSetsTable, Tables } from '../../store/schema.ts';
import { durationText, rfc2822 } from '../dates.ts';
import { API_PREFIX } from '../describe.ts';
import type { Json } from '../wire/json.ts';
import { aggregateStatus, scriptStatusName } from './script-status.ts';

type SetRow = Selectable<ScriptSetsTable>;
type ResultRow = Selectable<ScriptResultsTable>;

/** Names of result types by number (objects §0). */
export const RESULT_TYPES = ['Commissioning', 'Installation', 'Testing', 'Release', 'Deployment'] as const;

/** Which results of a set are wanted; null = all. */
export interface ResultFilter {
  hardwareType: number | null;
  /** Names, ids, or tags of scripts. */
  names: readonly string[] | null;
  withOutput: boolean;
}

/** Results of these sets without their outputs unless asked: those are megabytes. Ordered as clients see them. */
export async function loadResults(
  db: Kysely<Tables>,
  setIds: readonly number[],
  filter: ResultFilter,
): Promise<ResultRow[]> {
  if (setIds.length === 0) return [];
  // Unwanted outputs are not even read from disk by this.
  const shown = <Name extends 'output' | 'stdout' | 'stderr' | 'result'>(name: Name) =>
    sql<Buffer>`CASE WHEN ${filter.withOutput} THEN ${sql.ref(`r.${name}`)} ELSE ''::bytea END`.as(name);
  let query = db
    .selectFrom('script_results as r')
    .leftJoin('block_devices as b', 'b.id', 'r.block_device_id')
    .leftJoin('interfaces as i', 'i.id', 'r.interface_id')
    .select([
      'r.id',
      'r.set_id',
      'r.name',
      'r.builtin',
      'r.hardware_type',
      'r.parallel',
      'r.timeout_seconds',
      'r.parameters',
      'r.block_device_id',
      'r.interface_id',
      'r.status',
      'r.exit_status',
      'r.started',
      'r.ended',
      'r.suppressed',
      'r.created',
      'r.updated',
    ])
    .select([shown('output'), shown('stdout'), shown('stderr'), shown('result')])
    .where('r.set_id', 'in', setIds)
    .orderBy('r.name')
    .orderBy('b.name')
    .orderBy('i.name')
    .orderBy('r.id');
  if (filter.hardwareType !== null) query = query.where('r.hardware_type', '=', filter.hardwareType);
  const { names } = filter;
  if (names !== null) {
    const tagged = BUILTIN_SCRIPTS.filter(({ tags }) => tags.some((tag) => names.includes(tag))).map(
      ({ name }) => name,
    );
    const ids = names.filter((name) => /^\d{1,9}$/.test(name)).map(Number);
    query = query.where((eb) =>
      eb.or([eb('r.name', 'in', [...names, ...tagged]), ...(ids.length > 0 ? [eb('r.id', 'in', ids)] : [])]),
    );
  }
  return await query.execute();
}

export function setObject(systemId: string, set: SetRow, results: readonly ResultRow[], withOutput: boolean): Json {
  const status = aggregateStatus(results.filter((row) => !row.suppressed).map((row) => row.status));
  const started = earliest(results.map((row) => row.started));
  const ended = results.every((row) => row.ended !== null) ? latest(results.map((row) => row.ended)) : null;
  return {
    id: set.id,
    system_id: systemId,
    type: set.type,
    type_name: RESULT_TYPES[set.type] ?? 'Unknown',
    last_ping: dateOrNull(set.last_ping),
    status,
    status_name: scriptStatusName(status),
    started: dateOrNull(started),
    ended: dateOrNull(ended),
    runtime: runtimeOf(started, ended),
    results: results.map((row) => resultObject(row, withOutput)),
    resource_uri: `${API_PREFIX}nodes/${systemId}/results/${set.id}/`,
  };
}

function resultObject(row: ResultRow, withOutput: boolean): Json {
  return {
    id: row.id,
    created: rfc2822(row.created),
    updated: rfc2822(row.updated),
    name: row.name,
    status: row.status,
    status_name: scriptStatusName(row.status),
    exit_status: row.exit_status,
    started: dateOrNull(row.started),
    ended: dateOrNull(row.ended),
    runtime: runtimeOf(row.started, row.ended),
    starttime: epoch(row.started),
    endtime: epoch(row.ended),
    estimated_runtime: row.timeout_seconds > 0 ? durationText(row.timeout_seconds) : 'Unknown',
    parameters: shownParameters(row.parameters),
    script_id: null,
    script_revision_id: null,
    suppressed: row.suppressed,
    ...(withOutput
      ? {
          output: row.output.toString('base64'),
          stdout: row.stdout.toString('base64'),
          stderr: row.stderr.toString('base64'),
          result: row.result.toString('base64'),
        }
      : {}),
  };
}

const HIDDEN = 'REDACTED';

/** As they were given to the script, passwords hidden. */
function shownParameters(stored: unknown): Json {
  if (typeof stored !== 'object' || stored === null) return {};
  const shown = Object.entries(stored).map(([name, value]) => [name, /password|secret/i.test(name) ? HIDDEN : value]);
  return Object.fromEntries(shown);
}

const dateOrNull = (date: Date | null): string | null => (date === null ? null : rfc2822(date));

/** Epoch seconds with fraction, or an empty text. */
const epoch = (date: Date | null): Json => (date === null ? '' : { float: date.getTime() / 1000 });

function runtimeOf(started: Date | null, ended: Date | null): string {
  return started === null || ended === null ? '' : durationText((ended.getTime() - started.getTime()) / 1000);
}

function earliest(dates: readonly (Date | null)[]): Date | null {
  const known = dates.filter((date) => date !== null).map((date) => date.getTime());
  return known.length === 0 ? null : new Date(Math.min(...known));
}

function latest(dates: readonly (Date | null)[]): Date | null {
  const known = dates.filter((date) => date !== null).map((date) => date.getTime());
  return known.length === 0 ? null : new Date(Math.max(...known));
}
