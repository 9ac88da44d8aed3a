import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BootEntry, Snapshot } from '@ingot/contract/rack.ts';

/** What the region last told this rack. On disk too, so that machines boot while the region is away. */
export interface SnapshotStore {
  current(): Snapshot | null;
  machineOf(mac: string): BootEntry | null;
  /** What was told of a machine by a newer version stays. */
  replace(snapshot: Snapshot): Promise<void>;
  /**
   * One machine changed; `entry` null forgets it. Written to disk a moment later, several changes at once. The region reads
   * in several places at a time: what comes late with an older version is not taken.
   */
  change(version: number, systemId: string, entry: BootEntry | null): void;
  /** A new link to the region, which may count anew (restored from a backup): older versions are none any more. */
  newLink(): void;
  /** Waits until the disk has what memory has. */
  flush(): Promise<void>;
}

const WRITE_DELAY_MS = 200;

/** A file that cannot be read as a snapshot is as good as none: the region sends a new one. */
export async function openSnapshotStore(file: string): Promise<SnapshotStore> {
  let current: Snapshot | null = null;
  let snapshotVersion = 0;
  const machines = new Map<string, BootEntry>();
  const byMac = new Map<string, string>();
  /** Changes since the snapshot, also of machines that were forgotten, each by its version. */
  const newer = new Map<string, { version: number; entry: BootEntry | null }>();
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
    snapshotVersion = snapshot.version;
    for (const entry of snapshot.machines) addMachine(entry);
    for (const [systemId, { version, entry }] of [...newer]) {
      if (version <= snapshot.version) newer.delete(systemId);
      else apply(version, systemId, entry);
    }
  }
  function apply(version: number, systemId: string, entry: BootEntry | null): void {
    removeMachine(systemId);
    if (entry) addMachine(entry);
    if (current) current = { ...current, version: Math.max(version, current.version) };
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
      const known = newer.get(systemId)?.version;
      // Without a change of its own, what the snapshot says of it may be newer too.
      if (known === undefined ? version < snapshotVersion : version < known) return;
      newer.set(systemId, { version, entry });
      apply(version, systemId, entry);
      timer ??= setTimeout(() => void save().catch(() => undefined), WRITE_DELAY_MS);
    },
    newLink: () => {
      newer.clear();
      snapshotVersion = 0;
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
