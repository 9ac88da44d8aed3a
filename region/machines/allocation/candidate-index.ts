import type { CandidateRow } from '@ingot/core/allocate/candidate.ts';
import { byCost } from '@ingot/core/allocate/candidates.ts';
import { type Kysely, sql } from 'kysely';
import { CHANGES_KEPT_MS } from '../../store/changes.ts';
import type { Tables } from '../../store/schema.ts';
import { type BaseCandidate, readCandidates, readDevices } from './candidate-rows.ts';

/** Rows of `changes` live for an hour; an index that was not used for half of that is read anew. */
const STALE_MS = CHANGES_KEPT_MS / 2;

export interface Candidate {
  row: CandidateRow;
  ownerId: number | null;
}

/** The machines that may be taken, in memory, cheapest first. */
export interface CandidateIndex {
  /**
   * Brings it up to date: every change committed before the call is in it afterwards. One query when nothing changed.
   * With `devices`, the rows have their disks and interfaces. Not to be called again before it has ended.
   */
  refresh(devices: boolean): Promise<readonly Candidate[]>;
}

interface Entry extends BaseCandidate {
  detailed: boolean;
}

/**
 * How nothing is missed: whoever changes what is shown of a machine appends to `changes` in the same transaction (see
 * store/mark.ts). A transaction that was not visible at the last look has an id at or above the oldest one that was
 * running then; so those rows are looked at again, and of them those not seen before.
 */
export function candidateIndex(db: Kysely<Tables>): CandidateIndex {
  const entries = new Map<string, Entry>();
  let ordered: Entry[] = [];
  /** Oldest transaction that was running at the last look. */
  let horizon: string | null = null;
  let lookedAt = 0;
  /** Rows of `changes` at or above the horizon that are in the index already. */
  let seen = new Set<number>();

  const put = (candidate: BaseCandidate) => {
    const entry = { ...candidate, detailed: false };
    entries.set(candidate.row.systemId, entry);
    ordered.splice(placeOf(ordered, candidate.row), 0, entry);
  };
  const remove = (systemId: string) => {
    const entry = entries.get(systemId);
    if (entry === undefined) return;
    entries.delete(systemId);
    ordered.splice(placeOf(ordered, entry.row), 1);
  };

  async function readAll(): Promise<void> {
    const { xmin, rows } = await changesSince(db, null);
    horizon = null;
    entries.clear();
    const all = (await readCandidates(db, null)).toSorted((a, b) => byCost(a.row, b.row));
    ordered = all.map((candidate) => ({ ...candidate, detailed: false }));
    for (const entry of ordered) entries.set(entry.row.systemId, entry);
    seen = new Set(rows.map(([id]) => id));
    horizon = xmin;
  }

  async function readChanged(since: string): Promise<void> {
    const { xmin, rows } = await changesSince(db, since);
    const changed = [...new Set(rows.filter(([id]) => !seen.has(id)).map(([, key]) => key))];
    if (changed.length > 0) {
      const now = await readCandidates(db, changed);
      for (const systemId of changed) remove(systemId);
      for (const candidate of now) put(candidate);
    }
    seen = new Set(rows.map(([id]) => id));
    horizon = xmin;
  }

  async function addDevices(): Promise<void> {
    const lacking = ordered.filter((entry) => !entry.detailed);
    if (lacking.length === 0) return;
    const devices = await readDevices(db, new Map(lacking.map((entry) => [entry.row.id, entry.bootDiskId])));
    for (const entry of lacking) {
      entry.row = { ...entry.row, ...devices.get(entry.row.id) };
      entry.detailed = true;
    }
  }

  return {
    async refresh(devices) {
      const now = performance.now();
      if (horizon === null || now - lookedAt > STALE_MS) await readAll();
      else await readChanged(horizon);
      lookedAt = now;
      if (devices) await addDevices();
      return ordered;
    },
  };
}

/** First place at which the row is not before the one there. */
function placeOf(ordered: readonly Entry[], row: CandidateRow): number {
  let low = 0;
  let high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = ordered[middle];
    if (other !== undefined && byCost(other.row, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Changed {
  xmin: string;
  /** Id of the row and the machine's system_id. */
  rows: [number, string][];
}

/** Changes of machines in transactions at or above `since`, and the oldest transaction running now. Null: from now on. */
async function changesSince(db: Kysely<Tables>, since: string | null): Promise<Changed> {
  const from = since === null ? sql`pg_snapshot_xmin(pg_current_snapshot())` : sql`${since}::xid8`;
  const { rows } = await sql<{ xmin: string; rows: [number, string][] | null }>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
      (SELECT jsonb_agg(jsonb_build_array(c.id, c.key)) FROM changes c
        WHERE c.xid >= ${from} AND c.kind IN ('machine', 'gone')) AS rows`.execute(db);
  const [found] = rows;
  if (found === undefined) throw new Error('a SELECT without FROM gave no row');
  return { xmin: found.xmin, rows: found.rows ?? [] };
}
