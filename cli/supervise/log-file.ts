import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface LogFile {
  write(chunk: Buffer): void;
  close(): void;
}

export const LOG_LIMITS = { bytes: 16 * 2 ** 20, kept: 3 };

/**
 * Appends to `file`; at its limit the file becomes NAME.1, that NAME.2 and so on, `kept` files in all. Written at once and
 * whole: what a child said before it died must be there.
 */
export function logFile(file: string, limits = LOG_LIMITS): LogFile {
  mkdirSync(path.dirname(file), { recursive: true });
  let fd = openSync(file, 'a', 0o640);
  let size = fstatSync(fd).size;
  const rotate = () => {
    closeSync(fd);
    rmSync(`${file}.${limits.kept - 1}`, { force: true });
    for (let n = limits.kept - 2; n >= 0; n -= 1) {
      const from = n === 0 ? file : `${file}.${n}`;
      if (existsSync(from)) renameSync(from, `${file}.${n + 1}`);
    }
    fd = openSync(file, 'a', 0o640);
    size = 0;
  };
  return {
    write(chunk) {
      if (size > 0 && size + chunk.length > limits.bytes) rotate();
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
      size += chunk.length;
    },
    close: () => closeSync(fd),
  };
}
