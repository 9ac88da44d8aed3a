import { FULL_SHAPE, seedFleet, systemIdOf } from '../fleet/seed.ts';
import { type BenchSite, startBenchSite } from '../fleet/site.ts';
import { type Bench, type BenchContext, interleave, type Row, type Sample } from '../harness/bench.ts';
import { type ListTimes, readOne, timeFloor, timeList } from './list.ts';

const MACHINES = [1000, 10_000];
const PLACE = 'a region process over its private PostgreSQL, read by curl over loopback';

export const bench: Bench = {
  name: 'api',
  what: 'GET machines/ with 1,000 and 10,000 machines of about 49 KB each, and one machine',
  needsRoot: false,
  async run(context) {
    const rows: Row[] = [];
    for (const machines of MACHINES) {
      const site = await startBenchSite(context.root);
      try {
        rows.push(...(await lists(context, site, machines)));
        if (machines === MACHINES.at(-1)) rows.push(...(await oneMachine(context, site)));
      } finally {
        await site.close();
      }
    }
    return rows;
  },
};

async function lists(context: BenchContext, site: BenchSite, machines: number): Promise<Row[]> {
  context.say(`${machines} machines are written and listed a first time`);
  await seedFleet(site.socketDir, { machines, ...FULL_SHAPE });
  const cold = await timeList(site);
  const warm: ListTimes[] = [];
  const sides = await interleave(context.rounds, {
    ours: async (): Promise<Sample> => {
      const times = await timeList(site);
      warm.push(times);
      return { value: times.seconds, cpuSeconds: times.regionCpuSeconds };
    },
    floor: async (): Promise<Sample> => ({ value: (await timeFloor(site)).seconds, cpuSeconds: null }),
  });
  const what = `${machines.toLocaleString('en')} machines`;
  const size = `${Math.round(cold.bytes / machines / 1000)} KB a machine`;
  const of = (values: number[]) => ({ name: 'ingot', samples: values.map((value) => ({ value, cpuSeconds: null })) });
  const alone = { theirs: null, better: 'less' } as const;
  return [
    {
      what,
      unit: 's',
      better: 'less',
      ours: { name: 'ingot', samples: sides.ours },
      theirs: { name: 'COPY to curl', samples: sides.floor },
      goals: [{ of: 'speed', is: 'at least', value: 0.5 }],
      note: `${size}; ${PLACE}. The floor is psql's COPY TO STDOUT of the same bodies into curl, uploading to a server that drops them.`,
    },
    {
      ...alone,
      what: `${what}, first byte`,
      unit: 'ms',
      ours: of(warm.map((times) => times.firstByteMs)),
      goals: [{ of: 'ours', is: 'at most', value: 50 }],
    },
    {
      ...alone,
      what: `${what}, memory gained meanwhile`,
      unit: 'MiB',
      ours: of(warm.map((times) => times.growth)),
      goals: [{ of: 'ours', is: 'at most', value: 64 }],
    },
    {
      ...alone,
      what: `${what}, when every body is stale`,
      unit: 's',
      ours: of([cold.seconds]),
      goals: [],
      note: `The first list after all machines changed: each body is rendered and stored. First byte after ${Math.round(cold.firstByteMs)} ms, memory gained ${Math.round(cold.growth)} MiB.`,
    },
  ];
}

async function oneMachine(context: BenchContext, site: BenchSite): Promise<Row[]> {
  context.say('one machine, again and again');
  const reads = [];
  for (let round = 0; round < context.rounds; round++) reads.push(await readOne(site, systemIdOf(5000 + round)));
  const side = (values: number[]) => ({ name: 'ingot', samples: values.map((value) => ({ value, cpuSeconds: null })) });
  return [
    {
      what: 'one machine, queries',
      unit: 'queries',
      better: 'less',
      ours: side(reads.map((read) => read.queries)),
      theirs: null,
      goals: [{ of: 'ours', is: 'at most', value: 3 }],
      note: 'Key, nonce and body: one query each.',
    },
    {
      what: 'one machine',
      unit: 'ms',
      better: 'less',
      ours: side(reads.map((read) => read.medianMs)),
      theirs: null,
      goals: [],
    },
  ];
}
