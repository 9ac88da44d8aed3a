import { watch } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LeaseColumns, type LeaseRow, parseHeader, parseRow } from './lease-file.ts';

export interface LeaseTail {
  /** Reads what is there by now; for tests and at the end. */
  poll(): Promise<void>;
  stop(): Promise<void>;
}

const CHUNK = 64 * 1024;
const POLL_MS = 500;

/**
 * Follows Kea's lease file. Rows there at the start are given with `fresh` = false, later ones with true. Kea's clean-up
 * (LFC) moves the file away and begins a new one: the old one is read to its end first.
 */
export async function followLeases(file: string, onRow: (row: LeaseRow, fresh: boolean) => void): Promise<LeaseTail> {
  let handle: FileHandle | null = null;
  let inode = 0;
  let position = 0;
  let rest = '';
  let columns: LeaseColumns | null = null;
  let stopped = false;
  let reading: Promise<void> | null = null;
  let again = false;

  function takeLines(text: string, fresh: boolean): void {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-CHUNK);
    for (const line of lines) {
      if (line === '') continue;
      if (line.startsWith('address,')) columns = parseHeader(line);
      else if (columns) {
        const row = parseRow(line, columns);
        if (row) onRow(row, fresh);
      }
    }
  }

  async function readToEnd(fresh: boolean): Promise<void> {
    if (handle === null) return;
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      takeLines(buffer.toString('latin1', 0, bytesRead), fresh);
    }
  }

  async function readOnce(fresh: boolean): Promise<void> {
    await readToEnd(fresh);
    const now = await stat(file).catch(() => null);
    if (now === null || (handle !== null && now.ino === inode && now.size >= position)) return;
    await handle?.close();
    handle = await open(file, 'r').catch(() => null);
    inode = (await handle?.stat())?.ino ?? 0;
    position = 0;
    rest = '';
    await readToEnd(fresh);
  }

  /** One reader at a time; a wish that comes meanwhile is granted by one more round. */
  function poll(): Promise<void> {
    if (stopped) return Promise.resolve();
    if (reading) {
      again = true;
      return reading;
    }
    reading = (async () => {
      do {
        again = false;
        await readOnce(true);
      } while (again && !stopped);
    })().finally(() => {
      reading = null;
    });
    return reading;
  }

  // What LFC has put aside: .2 is the cleaned file, .1 the one before the present.
  for (const aside of [`${file}.2`, `${file}.1`]) {
    const text = await readFile(aside, 'latin1').catch(() => '');
    columns = null;
    takeLines(text, false);
    rest = '';
  }
  await readOnce(false);
  const wake = () => void poll().catch(() => undefined);
  const watcher = watch(dirname(file), wake);
  watcher.on('error', () => undefined);
  const timer = setInterval(wake, POLL_MS);
  return {
    poll,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      watcher.close();
      await reading?.catch(() => undefined);
      await handle?.close();
    },
  };
}
