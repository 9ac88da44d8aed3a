import type { Bench, Row, Side } from '../harness/bench.ts';
import { life } from './life.ts';

/** The goals are those of a thousand; fewer show whether it runs at all. */
const MACHINES = Number(process.env.INGOT_BENCH_MACHINES ?? 1000);
const SEED = 3;

const one = (name: string, value: number, cpuSeconds: number | null = null): Side => ({
  name,
  samples: [{ value, cpuSeconds }],
});

export const bench: Bench = {
  name: 'life',
  what: `${MACHINES} simulated machines commission → deploy → release with erase, all at once, at zero delay`,
  needsRoot: false,
  run: async ({ root, say, program }) => {
    const result = await life({ root, machines: MACHINES, seed: SEED, readerProgram: program('reader'), say });
    const row = (what: string, unit: string, side: Side, goals: Row['goals'], note?: string): Row => ({
      what,
      unit,
      better: 'less',
      ours: side,
      theirs: null,
      goals,
      ...(note === undefined ? {} : { note }),
    });
    const lostNote = result.lost.length === 0 ? undefined : result.lost.slice(0, 5).join('; ');
    return [
      row(
        'machines lost',
        'machines',
        one('Ingot', result.lost.length),
        [{ of: 'ours', is: 'at most', value: 0 }],
        lostNote,
      ),
      row(
        'memory (PSS) of all processes, most',
        'MB',
        one('Ingot', result.highestPssMb),
        [{ of: 'ours', is: 'at most', value: 800 }],
        `region, rack, PostgreSQL and supervisor; the simulation itself had ${Math.round(result.simulatorMb)} MB`,
      ),
      row(
        'reading one machine meanwhile, p99',
        'ms',
        one('Ingot', result.readP99Ms),
        [{ of: 'ours', is: 'at most', value: 50 }],
        `${result.reads} reads by the native API, ${result.readsRefused} of them refused, median ${result.readMedianMs.toFixed(1)} ms`,
      ),
      row('commission, all', 's', one('Ingot', result.seconds.commission, result.cpuSeconds.commission), []),
      row('deploy, all', 's', one('Ingot', result.seconds.deploy, result.cpuSeconds.deploy), []),
      row('release with erase, all', 's', one('Ingot', result.seconds.release, result.cpuSeconds.release), []),
    ];
  },
};
