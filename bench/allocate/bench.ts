import { timeList } from '../api/list.ts';
import { cpuSeconds } from '../fleet/memory.ts';
import { quantile } from '../fleet/quantile.ts';
import { FULL_SHAPE, seedFleet } from '../fleet/seed.ts';
import { type BenchSite, startBenchSite } from '../fleet/site.ts';
import { type Bench, type BenchContext, interleave, type Row, type Sample } from '../harness/bench.ts';
import { allocateMany, type Grants } from './clients.ts';
import { floorGrants } from './floor.ts';

const MACHINES = 10_000;
const REQUESTS = 1000;
const LOADS = [
  { clients: 16, p99Ms: 100, rate: 500 },
  { clients: 64, p99Ms: 250, rate: null },
];

export const bench: Bench = {
  name: 'allocate',
  what: 'allocate with tags, memory, cores, zone and pool on 10,000 Ready machines; 16 and 64 clients',
  needsRoot: false,
  async run(context) {
    const site = await startBenchSite(context.root);
    try {
      context.say(`${MACHINES} machines are written and listed once`);
      await seedFleet(site.socketDir, { machines: MACHINES, ...FULL_SHAPE });
      await timeList(site);
      const rows: Row[] = [];
      const granted = new Set<string>();
      for (const load of LOADS) rows.push(...(await measure(context, site, load, granted)));
      return rows;
    } catch (error) {
      context.say(`the region's log: ${await site.complaints()}`);
      throw error;
    } finally {
      await site.close();
    }
  },
};

async function measure(
  context: BenchContext,
  site: BenchSite,
  { clients, p99Ms, rate }: (typeof LOADS)[number],
  granted: Set<string>,
): Promise<Row[]> {
  context.say(`${clients} clients`);
  const latencies: number[] = [];
  // Not more than the fleet can bear in all rounds, so that nobody asks an empty one.
  const requests = Math.min(REQUESTS, Math.floor((MACHINES * 0.8) / LOADS.length / context.rounds));
  const sides = await interleave(context.rounds, {
    ours: async (): Promise<Sample> => {
      const before = await cpuSeconds(site.region.pid);
      const grants = await allocateMany([site.region.port], site.key, clients, requests, MACHINES);
      once(grants, granted);
      latencies.push(quantile(grants.ms, 0.99));
      const spent = (await cpuSeconds(site.region.pid)) - before;
      return { value: grants.granted.length / grants.seconds, cpuSeconds: spent };
    },
    floor: async (): Promise<Sample> => ({
      value: await floorGrants(site.socketDir, context.scratch, clients, requests),
      cpuSeconds: null,
    }),
  });
  return [
    {
      what: `${clients} clients`,
      unit: 'grants/s',
      better: 'more',
      ours: { name: 'ingot', samples: sides.ours },
      theirs: { name: 'pgbench', samples: sides.floor },
      goals: rate === null ? [] : [{ of: 'ours', is: 'at least', value: rate }],
      note: 'Each grant is a signed request, a choice among all, the state with its events and audit, and an answer of about 49 KB; the clients run on the same cores. pgbench: one UPDATE … SKIP LOCKED of a narrow row, no constraints, no answer.',
    },
    {
      what: `${clients} clients, p99`,
      unit: 'ms',
      better: 'less',
      ours: { name: 'ingot', samples: latencies.map((value) => ({ value, cpuSeconds: null })) },
      theirs: null,
      goals: [{ of: 'ours', is: 'at most', value: p99Ms }],
    },
  ];
}

/** A number is worth nothing when a machine was granted twice or a request was turned away. */
function once(grants: Grants, granted: Set<string>): void {
  for (const systemId of grants.granted) {
    if (granted.has(systemId)) throw new Error(`${systemId} was granted twice`);
    granted.add(systemId);
  }
  for (const [status, count] of grants.others) {
    // The last machines of a kind may be gone; any other answer is a failure.
    if (status !== 409) throw new Error(`${count} requests were answered with ${status}`);
  }
}
