import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

/**
 * How the agent's Node is started. It lives for minutes and computes little: compiling to machine code costs more than it gives.
 * V8 takes a snapshot only where flags and processor are as they were when it was made, so what processors differ in is left
 * unused: the snapshot is made on this host and started on any machine.
 */
export const AGENT_NODE_FLAGS = [
  ...'--no-warnings --max-lazy --no-opt --no-sparkplug --single-threaded-gc'.split(' '),
  ...'sse3 ssse3 sse4-1 sse4-2 sahf avx avx2 fma3 bmi1 bmi2 lzcnt popcnt'
    .split(' ')
    .map((name) => `--no-enable-${name}`),
];

/** Paths in the root image that its Node needs to run. */
const NODE_FILES = ['bin', 'lib', 'lib64', 'usr/lib64', 'usr/bin/node', 'usr/bin/nodejs', 'usr/share/nodejs'];
const NODE_LIBRARIES = ['usr/lib/*-linux-gnu/lib*.so*', 'usr/lib/*-linux-gnu/ld-linux*', 'usr/lib/ld-linux*'];

/**
 * The loaded agent as a start-up snapshot for the Node of `squashfs`, written to `target` unless what is there was made of the same
 * parts. Starting from it takes a third of the time of reading the program: on a slow core seconds of every boot. Rejects when
 * this Node makes none; the machine then reads the program. Needs root and squashfs-tools.
 */
export async function agentSnapshot(input: {
  squashfs: { path: string; sha256: string };
  agent: string;
  workDir: string;
  target: string;
}): Promise<void> {
  const program = await readFile(input.agent);
  const parts = { squashfs: input.squashfs.sha256, agent: sha256(program), flags: AGENT_NODE_FLAGS };
  const key = `${sha256(Buffer.from(JSON.stringify(parts)))}\n`;
  const keyFile = `${input.target}.key`;
  const known = await readFile(keyFile, 'utf8').catch(() => null);
  if (known === key && existsSync(input.target)) return;
  const tree = join(input.workDir, 'node');
  try {
    await mkdir(input.workDir, { recursive: true });
    const wanted = [...NODE_FILES, ...NODE_LIBRARIES];
    await run('unsquashfs', ['-quiet', '-no-progress', '-d', tree, input.squashfs.path, ...wanted]);
    await copyFile(input.agent, join(tree, 'agent.cjs'));
    const make = [
      '/usr/bin/node',
      ...AGENT_NODE_FLAGS,
      '--snapshot-blob',
      '/agent.blob',
      '--build-snapshot',
      '/agent.cjs',
    ];
    await run('chroot', [tree, ...make], { deadlineMs: 60_000 });
    await rm(keyFile, { force: true });
    await copyFile(join(tree, 'agent.blob'), `${input.target}.new`);
    await rename(`${input.target}.new`, input.target);
    await writeFile(keyFile, key);
  } finally {
    await rm(input.workDir, { recursive: true, force: true });
  }
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
