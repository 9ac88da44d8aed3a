import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PowerOutcome } from '@ingot/contract/rack.ts';
import * as z from 'zod';

/** One piece of power work, without its parameters: those have secrets and come again from the region. */
export const JournalEntry = z.object({
  id: z.number().int(),
  systemId: z.string(),
  action: z.string(),
  generation: z.number().int(),
  step: z.enum(['off', 'on']).nullable(),
  /** Set when done; then only the region's word is awaited. */
  outcome: PowerOutcome.nullable(),
  /** Milliseconds since the epoch, of the last writing. */
  written: z.number(),
});
export type JournalEntry = z.infer<typeof JournalEntry>;

/** DIR/rack/work/ID.json: written and flushed before the BMC is called and after it answered. */
export interface Journal {
  entry(id: number): JournalEntry | null;
  entries(): JournalEntry[];
  write(entry: Omit<JournalEntry, 'written'>): Promise<void>;
  remove(id: number): Promise<void>;
}

/** Work that the region never asked about again. */
const FORGET_AFTER_MS = 7 * 24 * 3600 * 1000;

export async function openJournal(dir: string, now: () => number): Promise<Journal> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const entries = new Map<number, JournalEntry>();
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const parsed = JournalEntry.safeParse(safeJson(await readFile(path, 'utf8').catch(() => '')));
    const usable = parsed.success && name === `${parsed.data.id}.json` && now() - parsed.data.written < FORGET_AFTER_MS;
    if (usable) entries.set(parsed.data.id, parsed.data);
    else await rm(path, { force: true });
  }
  return {
    entry: (id) => entries.get(id) ?? null,
    entries: () => [...entries.values()],
    write: async (entry) => {
      const full: JournalEntry = { ...entry, written: now() };
      entries.set(entry.id, full);
      await writeDurably(dir, `${entry.id}.json`, JSON.stringify(full));
    },
    remove: async (id) => {
      // Queries leave no record, and there are many of them.
      if (!entries.delete(id)) return;
      await rm(join(dir, `${id}.json`), { force: true });
    },
  };
}

/** On the disk when it returns: file and directory are flushed. */
async function writeDurably(dir: string, name: string, text: string): Promise<void> {
  const path = join(dir, name);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const directory = await open(dir, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
