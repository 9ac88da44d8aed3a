import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';

export interface LogFile {
  /** For the child to write to: it then never depends on anybody reading, and its last words are kept. */
  fd: number;
  /** Call now and then: at its limit the content moves to NAME.1, that to NAME.2 and so on. */
  rotate(): void;
  /** The end of what was written. */
  tail(bytes: number): string;
  close(): void;
}

const LOG_LIMITS = { bytes: 16 * 2 ** 20, kept: 3 };

/**
 * A log that others append to: `kept` files in all. The child holds the file open, so it is copied and emptied rather
 * than renamed; it appends (O_APPEND), so it goes on at the beginning. A line written in that instant can be lost.
 */
export function logFile(file: string, limits = LOG_LIMITS): LogFile {
  mkdirSync(path.dirname(file), { recursive: true });
  const fd = openSync(file, 'a+', 0o640);
  return {
    fd,
    rotate() {
      if (fstatSync(fd).size < limits.bytes) return;
      rmSync(`${file}.${limits.kept - 1}`, { force: true });
      for (let n = limits.kept - 2; n >= 1; n -= 1) {
        if (existsSync(`${file}.${n}`)) renameSync(`${file}.${n}`, `${file}.${n + 1}`);
      }
      if (limits.kept > 1) copyFileSync(file, `${file}.1`);
      ftruncateSync(fd);
    },
    tail(bytes) {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(bytes, size));
      const read = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      return buffer.subarray(0, read).toString();
    },
    close: () => closeSync(fd),
  };
}
