import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../store/schema.ts';

/** How many passed attempts of a kind are looked at, and how many runs of a phase make a "typical" one. */
const SAMPLE = 20;
const ENOUGH = 3;
const FRESH_MS = 10_000;

/**
 * Median seconds by attempt kind and phase. A commissioning waits for its agent twice, once while it starts and once for a moment
 * between its steps: `turn` tells them apart, 0 for the first of its name in an attempt.
 */
export type Typical = (kind: string, phase: string, turn: number) => number | null;

/** The median of each phase over the newest passed attempts of its kind, read at most every ten seconds. */
export interface TypicalTimes {
  read(now: number): Promise<Typical>;
}

export function typicalTimes(db: Kysely<Tables>): TypicalTimes {
  let known: Map<string, number> = new Map();
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    async read(now) {
      if (now - readAt >= FRESH_MS) {
        known = await readMedians(db);
        readAt = now;
      }
      const medians = known;
      return (kind, phase, turn) => medians.get(`${kind} ${turn} ${phase}`) ?? null;
    },
  };
}

async function readMedians(db: Kysely<Tables>): Promise<Map<string, number>> {
  // Per kind, so that many deployments do not push the only three commissionings out of the sample.
  const { rows } = await sql<{ kind: string; name: string; turn: number; median: number }>`
    SELECT sample.kind, phase.name, phase.turn::int AS turn,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM phase.ended - phase.started))::float8 AS median
    FROM (VALUES ('enlist'), ('commission'), ('test'), ('deploy'), ('release'), ('erase'), ('rescue'), ('exit-rescue')) AS kinds (kind)
    CROSS JOIN LATERAL (
      SELECT id, kind FROM attempts WHERE attempts.kind = kinds.kind AND outcome = 'passed' ORDER BY id DESC LIMIT ${SAMPLE}
    ) AS sample
    CROSS JOIN LATERAL (
      SELECT name, started, ended, row_number() OVER (PARTITION BY name ORDER BY id) - 1 AS turn
      FROM attempt_phases WHERE attempt_id = sample.id
    ) AS phase
    WHERE phase.ended IS NOT NULL
    GROUP BY sample.kind, phase.name, phase.turn
    HAVING count(*) >= ${ENOUGH}`.execute(db);
  return new Map(rows.map((row) => [`${row.kind} ${row.turn} ${row.name}`, Math.round(row.median * 1000) / 1000]));
}
