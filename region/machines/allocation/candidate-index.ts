import type { CandidateRow } from '@ingot/core/allocate/candidate.ts';
import { costOf } from '@ingot/core/allocate/candidates.ts';
import { type Kysely, sql } from 'kysely';
import { CHANGES_KEPT_MS } from '../../store/changes.ts';
import type { Tables } from '../../store/schema.ts';
import { type BaseCandidate, readCandidates, readDevices } from './candidate-rows.ts';

/** Rows of `changes` live for an hour; an index that was not used for half of that is read anew. */
const STALE_MS = CHANGES_KEPT_MS / 2;

export interface Candidate {
  row: CandidateRow;
}

/**
 * Machines that nothing but their name, disks and interfaces tells apart: a fleet of thousands has few of these, and a
 * constraint on anything else holds for all machines of one or for none. Never empty; by id.
 */
export interface CandidateClass {
  cost: number;
  ownerId: number | null;
  machines: readonly Candidate[];
}

export interface Candidates {
  /**
   * Cheapest class first; those of one pool and one zone, null: of any. Whoever asks mostly names one of them (Juju always a
   * zone), and the others need not be looked at.
   */
  at(pool: string | null, zone: string | null): readonly CandidateClass[];
}

/** The machines that may be taken, in memory. */
export interface CandidateIndex {
  /**
   * Brings it up to date: every change committed before the call is in it afterwards. One query when nothing changed.
   * With `devices`, the rows have their disks and interfaces. Not to be called again before it has ended.
   */
  refresh(devices: boolean): Promise<Candidates>;
}

interface Entry extends BaseCandidate {
  detailed: boolean;
  of: OpenClass;
}

interface OpenClass extends CandidateClass {
  key: string;
  /** Keys of the lists that it is in. */
  lists: readonly string[];
  machines: Entry[];
}

const listOf = (pool: string | null, zone: string | null) => JSON.stringify([pool, zone]);

/**
 * How nothing is missed: whoever changes what is shown of a machine appends to `changes` in the same transaction (see
 * store/mark.ts). A transaction that was not visible at the last look has an id at or above the oldest one that was
 * running then; so those rows are looked at again, and of them those not seen before.
 */
export function candidateIndex(db: Kysely<Tables>): CandidateIndex {
  const entries = new Map<string, Entry>();
  const byKey = new Map<string, OpenClass>();
  const lists = new Map<string, OpenClass[]>();
  /** Oldest transaction that was running at the last look. */
  let horizon: string | null = null;
  let lookedAt = 0;
  /** Rows of `changes` at or above the horizon that are in the index already. */
  let seen = new Set<number>();

  const put = (candidate: BaseCandidate) => {
    const key = keyOf(candidate);
    let found = byKey.get(key);
    if (found === undefined) {
      const { pool, zone } = candidate.row;
      const of = [null, pool.name].flatMap((one) => [null, zone.name].map((other) => listOf(one, other)));
      found = { key, lists: of, cost: costOf(candidate.row), ownerId: candidate.ownerId, machines: [] };
      byKey.set(key, found);
      for (const name of of) {
        const list = lists.get(name) ?? [];
        lists.set(name, list);
        list.splice(firstOfCost(list, found.cost), 0, found);
      }
    }
    const entry = { ...candidate, detailed: false, of: found };
    entries.set(candidate.row.systemId, entry);
    found.machines.splice(placeOf(found.machines, candidate.row.id), 0, entry);
  };
  const remove = (systemId: string) => {
    const entry = entries.get(systemId);
    if (entry === undefined) return;
    entries.delete(systemId);
    const { machines, key, cost } = entry.of;
    machines.splice(placeOf(machines, entry.row.id), 1);
    if (machines.length > 0) return;
    byKey.delete(key);
    for (const name of entry.of.lists) {
      const list = lists.get(name) ?? [];
      list.splice(list.indexOf(entry.of, firstOfCost(list, cost)), 1);
      if (list.length === 0) lists.delete(name);
    }
  };

  async function readAll(): Promise<void> {
    const { xmin, rows } = await changesSince(db, null);
    horizon = null;
    const found = await readCandidates(db, null);
    entries.clear();
    byKey.clear();
    lists.clear();
    for (const candidate of found.toSorted((a, b) => a.row.id - b.row.id)) put(candidate);
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
    const lacking = [...entries.values()].filter((entry) => !entry.detailed);
    if (lacking.length === 0) return;
    const devices = await readDevices(db, new Map(lacking.map((entry) => [entry.row.id, entry.bootDiskId])));
    for (const entry of lacking) {
      entry.row = { ...entry.row, ...devices.get(entry.row.id) };
      entry.detailed = true;
    }
  }

  const candidates: Candidates = { at: (pool, zone) => lists.get(listOf(pool, zone)) ?? [] };
  return {
    async refresh(devices) {
      const now = performance.now();
      if (horizon === null || now - lookedAt > STALE_MS) await readAll();
      else await readChanged(horizon);
      lookedAt = now;
      if (devices) await addDevices();
      return candidates;
    },
  };
}

/** What tells classes apart: everything that a constraint can be about but name, disks and interfaces. */
function keyOf({ row, ownerId }: BaseCandidate): string {
  const { architecture, cpuCount, cpuSpeed, memory, powerState, ephemeralDeploy, zone, pool, owner } = row;
  const one = [
    ownerId,
    owner,
    architecture,
    cpuCount,
    cpuSpeed,
    memory,
    powerState,
    ephemeralDeploy,
    zone.name,
    pool.name,
  ];
  return JSON.stringify([...one, ...row.tags.toSorted()]);
}

/** Place of the first class that costs at least so much. */
export function firstOfCost(classes: readonly CandidateClass[], cost: number): number {
  return firstPlace(classes, (one) => one.cost >= cost);
}

/** Place of the machine of this id, or where it belongs. */
function placeOf(machines: readonly Candidate[], id: number): number {
  return firstPlace(machines, (one) => one.row.id >= id);
}

/** First place at which something holds that holds for all after it, too. */
function firstPlace<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item === undefined || holds(item)) high = middle;
    else low = middle + 1;
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
