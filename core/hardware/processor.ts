export interface ProcessorFacts {
  /** Threads the kernel runs. */
  count: number;
  /** Name without its clock; null when sockets differ. */
  model: string | null;
  /** 0 = unknown. */
  speedMhz: number;
  hypervisor: boolean;
}

/** Reads /proc/cpuinfo. The clock is that of the name (" @ 2.40GHz"), else the average present one, rounded to 100 MHz. */
export function processorFacts(cpuinfo: string): ProcessorFacts {
  let count = 0;
  let hypervisor = false;
  const names = new Set<string>();
  const clocks: number[] = [];
  for (const line of cpuinfo.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const key = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (key === 'processor' && /^\d+$/.test(value)) count += 1;
    else if (key === 'model name') names.add(value);
    else if (key === 'cpu MHz' && Number.isFinite(Number(value))) clocks.push(Number(value));
    else if (key === 'flags' && !hypervisor) hypervisor = value.split(' ').includes('hypervisor');
  }
  const name = names.size === 1 ? ([...names][0] ?? '') : '';
  return { count, model: (name.split(' @')[0] ?? '').trim() || null, speedMhz: speed(name, clocks), hypervisor };
}

function speed(name: string, clocks: number[]): number {
  const named = / @ ([0-9.]+)GHz$/.exec(name);
  if (named !== null) return Math.round(Number(named[1]) * 1000);
  if (clocks.length === 0) return 0;
  const average = clocks.reduce((sum, clock) => sum + clock, 0) / clocks.length;
  return Math.round(average / 100) * 100;
}
