import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');

/** The first line a program says; it is ended then. Without a line in 20 s, what it left on standard error. */
function firstLine(argv: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 });
    let said = '';
    let errors = '';
    child.stdout.on('data', (data) => {
      said += data;
      if (said.includes('\n')) child.kill('SIGKILL');
    });
    child.stderr.on('data', (data) => {
      errors += data;
    });
    child.once('error', reject);
    child.once('close', () => resolve(said.split('\n')[0] || errors));
  });
}

test('the agent lives the same from its start-up snapshot as from its program', { timeout: 90_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-agent-snapshot-'));
  try {
    await run(process.execPath, [join(root, 'scripts/build.mjs'), '--quiet', 'agent']);
    const program = join(root, 'dist/agent.cjs');
    const blob = join(folder, 'agent.blob');
    await run(process.execPath, ['--snapshot-blob', blob, '--build-snapshot', program]);
    const withoutSeconds = (line: string) => line.replace(/\[\d+\.\d\]/, '');
    const fromBlob = await firstLine(['--no-warnings', '--snapshot-blob', blob]);
    expect(withoutSeconds(fromBlob)).toBe(withoutSeconds(await firstLine([program])));
    // The command line of this host names no rack.
    expect(fromBlob).toMatch(/^ingot \[\d+\.\d\] cannot work: ingot\.rack is missing/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
