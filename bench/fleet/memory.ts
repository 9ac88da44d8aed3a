import { readFile } from 'node:fs/promises';

const SAMPLE_MS = 20;

async function kibibytes(file: string, field: string): Promise<number> {
  const text = await readFile(file, 'utf8');
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`${file} has no field ${field}`);
  return Number(found);
}

/** Resident memory of a process in MiB. */
export const rss = async (pid: number): Promise<number> => (await kibibytes(`/proc/${pid}/status`, 'VmRSS')) / 1024;

/** Its share of memory in MiB: pages of several processes are counted once over all of them. */
export const pss = async (pid: number): Promise<number> => (await kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss')) / 1024;

/** The program a process runs, as a reader knows it: `postgres`, `region`, `kea-dhcp4`. */
export async function nameOf(pid: number): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const script = words.find((word) => word.endsWith('.mjs'));
  const name = (script ?? words[0] ?? '').split('/').at(-1) ?? '';
  return name.replace(/\.mjs$/, '').replace(/:.*$/, '');
}

/** CPU seconds a process has used, user and system. */
export async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A process and all below it. */
export async function familyOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(
    children
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => familyOf(Number(word))),
  );
  return [pid, ...below.flat()];
}

/** Runs `work` and gives the highest resident memory of the process meanwhile, MiB, sampled every 20 ms. */
export async function highestRss<T>(pid: number, work: () => Promise<T>): Promise<{ result: T; highest: number }> {
  let highest = await rss(pid);
  let running = true;
  const sampling = (async () => {
    while (running) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      highest = Math.max(highest, await rss(pid));
    }
  })();
  try {
    const result = await work();
    return { result, highest };
  } finally {
    running = false;
    await sampling;
  }
}
