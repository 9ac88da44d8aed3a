/** The shapes every bench fills in; the harness judges, prints and stores them. */

/** One measured run. `cpuSeconds` = user + system of the measured side's processes alone; null = not taken. */
export interface Sample {
  value: number;
  cpuSeconds: number | null;
}

export interface Side {
  name: string;
  samples: Sample[];
}

/**
 * What has to be reached. `speed` = how many times faster we are (2 = twice as fast, whichever way the unit counts);
 * `cpu` = our CPU seconds over theirs for the same work; `ours` = our own median, in the row's unit.
 */
export interface Goal {
  of: 'speed' | 'cpu' | 'ours';
  is: 'at least' | 'at most';
  value: number;
}

export interface Row {
  what: string;
  unit: string;
  better: 'more' | 'less';
  ours: Side;
  /** Null where nobody else can be asked the same. */
  theirs: Side | null;
  goals: Goal[];
  /** Said below the table: what is compared, and what the other side cannot do. */
  note?: string;
}

export interface BenchContext {
  /** The bundled `bench/NAME/<name>-program.ts`, of this bench unless told, to be started as a process of its own. */
  program(name: string, bench?: string): string;
  /** The root of the checkout. */
  root: string;
  /** An empty folder on a disk, gone afterwards. */
  scratch: string;
  /** Times each side is measured, turn and turn about. */
  rounds: number;
  say(text: string): void;
}

export interface Bench {
  name: string;
  /** One line for `--list`. */
  what: string;
  needsRoot: boolean;
  run(context: BenchContext): Promise<Row[]>;
}

/**
 * Measures the sides turn and turn about, the order turned round each time, so that a busy minute of the host hits
 * all of them. The functions' samples come back by the side's name.
 */
export async function interleave<Name extends string>(
  rounds: number,
  sides: Record<Name, () => Promise<Sample>>,
): Promise<Record<Name, Sample[]>> {
  // Object.keys gives string[]; the record's type says which strings.
  const names = Object.keys(sides) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Sample[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) samples[name].push(await sides[name]());
  }
  return samples;
}
