import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('../run.mjs', import.meta.url));

test('every bench can be named, and the list says what each measures', { timeout: 60_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--list']);
  const names = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0]);
  expect(names).toEqual('allocate api events footprint http-image image-to-disk ipmi-sweep life tftp'.split(' '));
});
