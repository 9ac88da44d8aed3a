import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds } from '../fleet/memory.ts';
import { psql } from '../fleet/psql.ts';
import { quantile } from '../fleet/quantile.ts';
import { seedFleet } from '../fleet/seed.ts';
import { type BenchSite, startBenchSite } from '../fleet/site.ts';
import type { Bench, BenchContext, Row, Sample } from '../harness/bench.ts';
import { openStreams } from './streams.ts';

/** As many as there are changes: no two of them become one event, however late a batch is. */
const MACHINES = 10_000;
const STREAMS = 50;
const SECONDS = 10;
/** Twenty commits a second of fifty machines each: 1,000 changes. */
const EVERY_MS = 50;
const PER_COMMIT = 50;
/** An event that comes later than this after the last commit is lost. */
const LATEST_MS = 30_000;

export const bench: Bench = {
  name: 'events',
  what: '1,000 changes a second to 50 event streams; the lag from commit to reader',
  needsRoot: false,
  async run(context) {
    const site = await startBenchSite(context.root);
    try {
      await seedFleet(site.socketDir, { machines: MACHINES, interfaces: 2, disks: 2 });
      const runs: { p99: Sample; p50: number }[] = [];
      for (let round = 0; round < context.rounds; round++) runs.push(await measure(context, site));
      return rowsOf(runs);
    } finally {
      await site.close();
    }
  },
};

async function measure(context: BenchContext, site: BenchSite): Promise<{ p99: Sample; p50: number }> {
  context.say(`${SECONDS} s`);
  const streams = await openStreams(site.region.port, site.key, STREAMS);
  try {
    const before = await cpuSeconds(site.region.pid);
    await psql(site.socketDir, script());
    const wanted = ((SECONDS * 1000) / EVERY_MS) * PER_COMMIT * STREAMS;
    const deadline = performance.now() + LATEST_MS;
    while (streams.lags.length < wanted && performance.now() < deadline) await sleep(50);
    const spent = (await cpuSeconds(site.region.pid)) - before;
    const share = streams.lags.length / wanted;
    if (share < 0.999) throw new Error(`only ${(share * 100).toFixed(1)} % of the events arrived`);
    return { p99: { value: quantile(streams.lags, 0.99), cpuSeconds: spent }, p50: quantile(streams.lags, 0.5) };
  } finally {
    streams.close();
  }
}

/**
 * The writer, one psql: each commit changes fifty machines as the region itself would (row, row of `changes`, NOTIFY) and
 * stamps them with the time. A commit that is late is not followed by a longer pause.
 */
function script(): string {
  return `
    CREATE OR REPLACE PROCEDURE bench_changes() LANGUAGE plpgsql AS $$
    DECLARE started timestamptz := clock_timestamp(); stamp text;
    BEGIN
      FOR n IN 0..${(SECONDS * 1000) / EVERY_MS - 1} LOOP
        PERFORM pg_sleep(greatest(0, extract(epoch FROM started + n * interval '${EVERY_MS} ms' - clock_timestamp())));
        stamp := floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text;
        WITH changed AS (UPDATE machines SET error_description = stamp
          WHERE id BETWEEN (n * ${PER_COMMIT}) % ${MACHINES} + 1 AND (n * ${PER_COMMIT}) % ${MACHINES} + ${PER_COMMIT} RETURNING system_id)
        INSERT INTO changes (kind, key) SELECT 'machine', system_id FROM changed;
        NOTIFY ingot_changes;
        COMMIT;
      END LOOP;
    END $$;
    CALL bench_changes();`;
}

function rowsOf(runs: readonly { p99: Sample; p50: number }[]): Row[] {
  const what = `${STREAMS} streams, ${(PER_COMMIT * 1000) / EVERY_MS} changes/s`;
  const common = { unit: 'ms', better: 'less', theirs: null } as const;
  return [
    {
      ...common,
      what: `${what}, p99`,
      ours: { name: 'ingot', samples: runs.map((run) => run.p99) },
      goals: [{ of: 'ours', is: 'at most', value: 150 }],
      note: `Batches are at least 50 ms apart. Every stream gets every change: 50,000 events a second, read on the same cores.`,
    },
    {
      ...common,
      what: `${what}, median`,
      ours: { name: 'ingot', samples: runs.map((run) => ({ value: run.p50, cpuSeconds: null })) },
      goals: [],
    },
  ];
}
