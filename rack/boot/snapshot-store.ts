import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BootEntry, Snapshot } from '@ingot/contract/rack.ts';

/** What the region last told this rack. On disk too, so that machines boot while the region is away. */
export interface SnapshotStore {
  current(): Snapshot | null;
  machineOf(mac: string): BootEntry | null;
  replace(snapshot: Snapshot): Promise<void>;
  /** One machine changed; `entry` null forgets it. Written to disk a moment later, several changes at once. */
  change(version: number, systemId: string, entry: BootEntry | null): void;
  /** Waits until the disk has what memory has. */
  flush(): Promise<void>;
}

const WRITE_DELAY_MS = 200;

/** A file that cannot be read as a snapshot is as good as none: the region sends a new one. */
export async function openSnapshotStore(file: string): Promise<SnapshotStore> {
  let current: Snapshot | null = null;
  const machines = new Map<string, BootEntry>();
  const byMac = new Map<string, string>();
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text !== '') {
    const parsed = Snapshot.safeParse(safeJson(text));
    if (parsed.success) index(parsed.data);
  }
  let writing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function index(snapshot: Snapshot): void {
    machines.clear();
    byMac.clear();
    current = snapshot;
    for (const entry of snapshot.machines) addMachine(entry);
  }
  function addMachine(entry: BootEntry): void {
    machines.set(entry.systemId, entry);
    for (const mac of entry.macs) byMac.set(mac.toLowerCase(), entry.systemId);
  }
  function removeMachine(systemId: string): void {
    for (const mac of machines.get(systemId)?.macs ?? []) {
      if (byMac.get(mac.toLowerCase()) === systemId) byMac.delete(mac.toLowerCase());
    }
    machines.delete(systemId);
  }
  function save(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing
      .catch(() => undefined)
      .then(async () => {
        if (current === null) return;
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(`${file}.new`, JSON.stringify({ ...current, machines: [...machines.values()] }), {
          mode: 0o600,
        });
        await rename(`${file}.new`, file);
      });
    return writing;
  }

  return {
    current: () => current,
    machineOf: (mac) => machines.get(byMac.get(mac.toLowerCase()) ?? '') ?? null,
    replace: async (snapshot) => {
      index(snapshot);
      await save();
    },
    change: (version, systemId, entry) => {
      if (current === null) return;
      removeMachine(systemId);
      if (entry) addMachine(entry);
      current = { ...current, version };
      timer ??= setTimeout(() => void save().catch(() => undefined), WRITE_DELAY_MS);
    },
    flush: async () => {
      if (timer) await save();
      await writing;
    },
  };
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
