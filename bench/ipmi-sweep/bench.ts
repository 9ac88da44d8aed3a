import { type Bench, type BenchContext, interleave, type Row, type Sample, type Side } from '../harness/bench.ts';
import { startProcess } from '../harness/process.ts';
import { DEAD_SECONDS, ipmipowerForAll, ipmipowerPerHost, ipmitoolPerHost } from './commands.ts';
import { deadOf, type Hall, type Sweep } from './order.ts';
import { startRack } from './rack.ts';

const HALL: Hall = { second: 88, port: 6239, count: 1000, deadEvery: 20 };
/** A program a host takes minutes for a thousand; it gets the first of the same BMCs, with as many dead ones among them. */
const SHARE = 5;
const PART: Hall = { ...HALL, count: HALL.count / SHARE };
/** MAAS's rack asks five machines at once. */
const PARALLEL_MAAS = 5;
const PARALLEL_IPMITOOL = 16;
/** ipmipower's own number of hosts at once, and one that the dead cannot fill. All at once lost answers on a busy host. */
const FANOUTS = [64, 256];
/** Beyond the dead's own time-out. */
const GRACE_SECONDS = 2;

const forAll = (fanout: number) => `one ipmipower, ${fanout} hosts at once`;

export const bench: Bench = {
  name: 'ipmi-sweep',
  what: 'the power of 1,000 BMCs by IPMI, cold sessions, 5 % dead, beside ipmipower and ipmitool',
  needsRoot: false,
  async run(context) {
    const program = [process.execPath, context.program('bmc'), JSON.stringify(HALL)] as const;
    const bmcs = await startProcess(program);
    try {
      await bmcs.firstLine;
      const rack = await startRack(context, HALL);
      try {
        return await measure(context, rack.sweep);
      } finally {
        await rack.stop();
      }
    } finally {
      await bmcs.stop();
    }
  },
};

async function measure(context: BenchContext, ours: () => Promise<Sweep>): Promise<Row[]> {
  const sides: Record<string, () => Promise<Sweep>> = {
    ingot: ours,
    ...Object.fromEntries(FANOUTS.map((fanout) => [forAll(fanout), () => ipmipowerForAll(HALL, fanout)])),
    'ipmipower a host': async () => times(SHARE, await ipmipowerPerHost(context, PART, PARALLEL_MAAS)),
    'ipmitool a host': async () => times(SHARE, await ipmitoolPerHost(context, PART, PARALLEL_IPMITOOL)),
  };
  const sweeps = new Map<string, Sweep[]>(Object.keys(sides).map((name) => [name, []]));
  const once = (name: string, sweep: () => Promise<Sweep>) => async (): Promise<Sample> => {
    const result = await sweep();
    context.say(
      `${name}: live ${result.liveSeconds.toFixed(2)} s, whole ${result.wholeSeconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(3)} s, ` +
        `${result.waitingThen} waiting, ${result.wrong} wrong`,
    );
    sweeps.get(name)?.push(result);
    return { value: result.liveSeconds, cpuSeconds: result.cpuSeconds };
  };
  await interleave(
    context.rounds,
    Object.fromEntries(Object.entries(sides).map(([name, sweep]) => [name, once(name, sweep)])),
  );
  return rowsOf(sweeps);
}

/** What the whole hall would take, were it as the part. */
function times(share: number, sweep: Sweep): Sweep {
  return {
    liveSeconds: sweep.liveSeconds * share,
    wholeSeconds: sweep.wholeSeconds * share,
    waitingThen: sweep.waitingThen * share,
    cpuSeconds: sweep.cpuSeconds * share,
    wrong: sweep.wrong * share,
  };
}

export function rowsOf(sweeps: ReadonlyMap<string, readonly Sweep[]>): Row[] {
  const side = (name: string, of: (sweep: Sweep) => number, withCpu = false): Side => ({
    name,
    samples: (sweeps.get(name) ?? []).map((sweep) => ({
      value: of(sweep),
      cpuSeconds: withCpu ? sweep.cpuSeconds : null,
    })),
  });
  const live = (name: string) => side(name, (sweep) => sweep.liveSeconds, true);
  const whole = (name: string) => side(name, (sweep) => sweep.wholeSeconds);
  const dead = deadOf(HALL);
  const each = `${HALL.count - dead} live answers all in`;
  const seconds = { unit: 's', better: 'less' } as const;
  const extrapolated =
    `A program a host: measured with the first ${PART.count} of the same BMCs (${deadOf(PART)} dead), wall and CPU × ${SHARE}. ` +
    `ipmipower ${PARALLEL_MAAS} at once, as MAAS's rack asks (its dead would hold their places much longer, with 20 s a try and retries); ` +
    `ipmitool ${PARALLEL_IPMITOOL} at once.`;
  const method =
    `The BMCs (protocols/ipmi/server.ts, one process, ${HALL.count} addresses) are the same for all sides, their CPU not counted. ` +
    `Ours is the rack's power worker, which stays up between the rounds; each sweep opens every session anew. Suite 3, level OPERATOR; ` +
    `a silent BMC is given up after ${DEAD_SECONDS} s by us and ipmipower (500 ms to the first repeat), after 6 s by ipmitool; one try.`;
  return [
    ...FANOUTS.map(
      (fanout): Row => ({
        ...seconds,
        what: each,
        ours: live('ingot'),
        theirs: live(forAll(fanout)),
        goals: [
          { of: 'speed', is: 'at least', value: 1.2 },
          { of: 'cpu', is: 'at most', value: 0.5 },
        ],
        note: method,
      }),
    ),
    {
      ...seconds,
      what: each,
      ours: live('ingot'),
      theirs: live('ipmipower a host'),
      goals: [{ of: 'speed', is: 'at least', value: 10 }],
      note: extrapolated,
    },
    {
      ...seconds,
      what: each,
      ours: live('ingot'),
      theirs: live('ipmitool a host'),
      goals: [{ of: 'speed', is: 'at least', value: 50 }],
    },
    ...FANOUTS.flatMap((fanout): Row[] => [
      {
        ...seconds,
        what: `whole sweep, ${dead} dead`,
        ours: whole('ingot'),
        theirs: whole(forAll(fanout)),
        goals: [{ of: 'ours', is: 'at most', value: DEAD_SECONDS + GRACE_SECONDS }],
      },
      {
        what: 'dead still waited for when the last live answer came',
        unit: 'count',
        better: 'more',
        ours: side('ingot', (sweep) => sweep.waitingThen),
        theirs: side(forAll(fanout), (sweep) => sweep.waitingThen),
        goals: [{ of: 'ours', is: 'at least', value: dead }],
      },
      {
        what: 'BMCs with a wrong answer or none',
        unit: 'count',
        better: 'less',
        ours: side('ingot', (sweep) => sweep.wrong),
        theirs: side(forAll(fanout), (sweep) => sweep.wrong),
        goals: [{ of: 'ours', is: 'at most', value: 0 }],
      },
    ]),
  ];
}
