import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { removeNamespace } from '../network/namespaces.ts';
import { interruption } from './interruption.ts';
import { endProcesses, identify, isAlive } from './process-identity.ts';

/**
 * What a run has made on this host, written before it is made, so that a crashed run can be cleaned up exactly: by the
 * recorded namespaces, processes and folders and by nothing else. It lives in /run: a reboot removes both.
 */
const Entry = z.object({
  run: z.string(),
  owner: z.object({ pid: z.number(), startTicks: z.string() }).nullable(),
  namespaces: z.array(z.string()),
  processes: z.array(z.object({ pid: z.number(), startTicks: z.string() })),
  /** Folders to remove with the run: only those it made for itself. */
  folders: z.array(z.string()),
});
type Entry = z.infer<typeof Entry>;

const ROOT = '/run/ingot-lab';

/** Names this checkout, so that two on one host do not meet. */
export function checkoutId(checkout: string): string {
  return createHash('sha256').update(checkout).digest('hex').slice(0, 8);
}

export interface Ledger {
  /** Unique per run, part of every name it makes. */
  run: string;
  addNamespace(name: string): Promise<void>;
  addProcess(pid: number): Promise<void>;
  addFolder(folder: string): Promise<void>;
  /** Ends and removes everything recorded. */
  clear(): Promise<void>;
}

/** `owned`: the run belongs to this process and is a leftover once this process is gone. */
export async function openLedger(checkout: string, options: { owned: boolean; run?: string }): Promise<Ledger> {
  const run = options.run ?? randomBytes(3).toString('hex');
  const folder = path.join(ROOT, checkoutId(checkout));
  const file = path.join(folder, `${run}.json`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entry = (await readEntry(file)) ?? {
    run,
    owner: options.owned ? await identify(process.pid) : null,
    namespaces: [],
    processes: [],
    folders: [],
  };
  // Writes are queued: two at once would race for the same temporary file.
  let last: Promise<void> = Promise.resolve();
  let cleared = false;
  const save = () => {
    // What is made now would outlive its run.
    if (cleared) return Promise.reject(new Error('the run has ended'));
    last = last.then(async () => {
      await writeFile(`${file}.new`, JSON.stringify(entry));
      await rename(`${file}.new`, file);
    });
    return last;
  };
  await save();
  return {
    run,
    addNamespace: (name) => {
      entry.namespaces.push(name);
      return save();
    },
    addProcess: async (pid) => {
      const identity = await identify(pid);
      if (identity) entry.processes.push(identity);
      await save();
    },
    addFolder: (name) => {
      entry.folders.push(name);
      return save();
    },
    clear: async () => {
      cleared = true;
      await last;
      await clearEntry(entry, file);
    },
  };
}

/** Everything recorded in the ledger is gone when this returns: `live` ended, threw, or the process was told to stop. */
export async function withLedger<T>(checkout: string, live: (ledger: Ledger) => Promise<T>): Promise<T> {
  const ledger = await openLedger(checkout, { owned: true });
  const stopped = interruption().then(() => {
    throw new Error('interrupted');
  });
  try {
    return await Promise.race([live(ledger), stopped]);
  } finally {
    await ledger.clear();
  }
}

/** Cleans up after runs of this checkout whose owner is gone; with `all`, after detached ones too. Returns their names. */
export async function clearLeftovers(checkout: string, all = false): Promise<string[]> {
  const folder = path.join(ROOT, checkoutId(checkout));
  const cleared: string[] = [];
  let names: string[] = [];
  try {
    names = await readdir(folder);
  } catch {
    return cleared;
  }
  for (const name of names.filter((candidate) => candidate.endsWith('.json'))) {
    const file = path.join(folder, name);
    const entry = await readEntry(file);
    if (!entry) {
      await rm(file, { force: true });
      continue;
    }
    const ownerGone = entry.owner ? !(await isAlive(entry.owner)) : all;
    if (!ownerGone) continue;
    await clearEntry(entry, file);
    cleared.push(entry.run);
  }
  return cleared;
}

async function readEntry(file: string): Promise<Entry | null> {
  try {
    return Entry.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

async function clearEntry(entry: Entry, file: string): Promise<void> {
  // Our own programs first: they stop their children in order (PostgreSQL by a clean shutdown).
  await endProcesses(entry.processes, 10_000);
  await Promise.all(entry.namespaces.map(removeNamespace));
  for (const folder of entry.folders) await rm(folder, { recursive: true, force: true });
  await rm(file, { force: true });
}
