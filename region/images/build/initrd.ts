import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import { dynamicProgram } from './dynamic-program.ts';
import { ephemeralFiles } from './ephemeral-files.ts';
import { INIT_SCRIPT, UDHCPC_SCRIPT } from './initramfs-init.ts';
import { netbootModules } from './netboot-modules.ts';
import { run } from './run.ts';

/**
 * The part of the initrd that belongs to `squashfs`: its kernel's network drivers, its static busybox, and its BLAKE2b sum
 * (`root.sum`) with the program that checks it. BLAKE2b, because the image is read whole at every boot and slow cores take
 * more than twice as long for SHA-256, more still with busybox's. Written zstd compressed to `target`.
 */
export async function writeModulesPart(tree: string, kernel: string, squashfs: string, target: string): Promise<void> {
  const busybox = await readFile(join(tree, 'bin/busybox'));
  const entries: CpioEntry[] = [
    { path: 'bin/busybox', kind: 'file', mode: 0o755, content: busybox },
    { path: 'root.sum', kind: 'file', mode: 0o644, content: Buffer.from(await rootSum(squashfs)) },
    ...(await dynamicProgram(tree, 'usr/bin/b2sum')),
    ...(await netbootModules(tree, kernel)),
  ];
  await writeCompressed(cpioArchive(entries), target, 15);
}

/**
 * The whole initrd: the modules part, then /init and what is laid over the root image. The kernel unpacks archives that
 * follow one another. Takes a second, so a changed agent costs no rebuild of the squashfs.
 */
export async function buildInitrd(input: {
  modulesPart: string;
  agent: string;
  /** Path of the agent's start-up snapshot; there need be none. */
  snapshot: string;
  target: string;
}): Promise<void> {
  const snapshot = await readFile(input.snapshot).catch(() => null);
  const entries: CpioEntry[] = [
    { path: 'init', kind: 'file', mode: 0o755, content: Buffer.from(INIT_SCRIPT) },
    { path: 'udhcpc.sh', kind: 'file', mode: 0o755, content: Buffer.from(UDHCPC_SCRIPT) },
    ...['proc', 'sys', 'dev', 'run', 'ram', 'new', 'etc'].map((path): CpioEntry => ({ path, kind: 'directory' })),
    ...ephemeralFiles(await readFile(input.agent), snapshot).map((entry) => ({
      ...entry,
      path: `ingot/${entry.path}`,
    })),
  ];
  const overlay = `${input.target}.overlay`;
  await writeCompressed(cpioArchive(entries), overlay, 15);
  // Each archive must start on a four-byte boundary; zero bytes between them are skipped.
  const modules = await readFile(input.modulesPart);
  const gap = Buffer.alloc((4 - (modules.length % 4)) % 4);
  await writeFile(input.target, Buffer.concat([modules, gap, await readFile(overlay)]));
  await run('rm', ['-f', overlay]);
}

async function writeCompressed(archive: Buffer, target: string, level: number): Promise<void> {
  await writeFile(`${target}.raw`, archive);
  await run('zstd', ['-q', '-f', `-${level}`, '--rm', `${target}.raw`, '-o', target]);
}

/** A line as `b2sum -c` reads it, for the place where /init puts the image. */
async function rootSum(squashfs: string): Promise<string> {
  const hash = createHash('blake2b512');
  for await (const piece of createReadStream(squashfs)) hash.update(piece);
  return `${hash.digest('hex')}  /ram/root.squashfs\n`;
}
