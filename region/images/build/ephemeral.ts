import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { agentSnapshot } from './agent-snapshot.ts';
import { bootstrapTree } from './bootstrap-tree.ts';
import { type EphemeralRecipe, ephemeralRecipe } from './ephemeral-recipe.ts';
import { hostRelease } from './host-release.ts';
import { buildInitrd, writeModulesPart } from './initrd.ts';
import type { BuildInput, BuiltFile, BuiltImage } from './progress.ts';
import { run } from './run.ts';
import { describeFile, findStored, recipeKey, store } from './stored-build.ts';
import { timed, today } from './timed.ts';

const STORED_FILES = ['vmlinuz', 'netboot-modules.cpio.zst', 'root.squashfs'];

/**
 * The system that enlists, commissions, tests, erases and installs: kernel, initrd and squashfs. `agent` is the path of the
 * bundled agent. Kernel and squashfs are made once per recipe; the initrd each time. Needs root, mmdebstrap, squashfs-tools,
 * zstd and kmod.
 */
export async function buildEphemeral(build: BuildInput & { agent: string }): Promise<BuiltImage> {
  const host = await hostRelease();
  const recipe = ephemeralRecipe(host.codename, host.architecture);
  const directory = join(build.outDir, 'ephemeral');
  const key = recipeKey({ ...recipe, mirror: build.mirror ?? null });
  const seconds: Record<string, number> = {};
  let stored = build.refresh === true ? null : await findStored(directory, key, STORED_FILES);
  if (stored === null) {
    const workDir = join(build.workDir, `ephemeral.${process.pid}`);
    try {
      const made = await makeSystem(recipe, build, workDir, seconds);
      stored = { key, version: made.version, kernelVersion: made.kernel };
      await store(directory, stored, made.files);
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  const squashfs = await describeFile(join(directory, 'root.squashfs'), 'squashfs');
  const snapshot = join(directory, 'agent.blob');
  await timed(seconds, 'agent', build, () => makeSnapshot(squashfs, snapshot, build));
  const initrd = join(directory, 'initrd');
  const modulesPart = join(directory, 'netboot-modules.cpio.zst');
  await timed(seconds, 'initrd', build, () =>
    buildInitrd({ modulesPart, agent: build.agent, snapshot, target: initrd }),
  );
  return {
    purpose: 'ephemeral',
    os: host.os,
    release: host.codename,
    arch: host.architecture,
    version: stored.version,
    title: `${host.title} (ephemeral)`,
    files: [
      await describeFile(join(directory, 'vmlinuz'), 'boot-kernel'),
      await describeFile(initrd, 'boot-initrd'),
      squashfs,
    ],
    seconds,
  };
}

/** Without a snapshot machines start the agent from its program, so its failure is said and not fatal. */
async function makeSnapshot(squashfs: BuiltFile, target: string, build: BuildInput & { agent: string }): Promise<void> {
  const workDir = join(build.workDir, `agent.${process.pid}`);
  try {
    await agentSnapshot({ squashfs, agent: build.agent, workDir, target });
  } catch (error) {
    await rm(target, { force: true });
    build.log(`no start-up snapshot of the agent: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface MadeSystem {
  version: string;
  kernel: string;
  files: Record<string, string>;
}

async function makeSystem(
  recipe: EphemeralRecipe,
  build: BuildInput,
  workDir: string,
  seconds: Record<string, number>,
): Promise<MadeSystem> {
  const tree = join(workDir, 'tree');
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true });
  await mkdir(join(build.outDir, 'ephemeral'), { recursive: true });
  await timed(seconds, 'packages', build, () => bootstrapTree({ ...recipe, target: tree }, build));
  const kernel = await kernelVersion(tree);
  // Beside the final place: a rename must not cross file systems.
  const beside = (name: string) => join(build.outDir, 'ephemeral', `${name}.new`);
  await copyFile(join(tree, 'boot', `vmlinuz-${kernel}`), beside('vmlinuz'));
  await timed(seconds, 'prune', build, () => prune(tree, kernel, recipe));
  await timed(seconds, 'squashfs', build, () => pack(tree, beside('root.squashfs'), build));
  await timed(seconds, 'drivers', build, () =>
    writeModulesPart(tree, kernel, beside('root.squashfs'), beside('netboot-modules.cpio.zst')),
  );
  const files = Object.fromEntries(STORED_FILES.map((name) => [name, beside(name)]));
  return { version: today(), kernel, files };
}

async function pack(tree: string, target: string, build: BuildInput): Promise<void> {
  await rm(target, { force: true });
  const options = ['-comp', 'zstd', '-Xcompression-level', '6', '-b', '256K', '-noappend', '-quiet', '-no-exports'];
  await run('mksquashfs', [tree, target, ...options], {
    onLine: (line) => {
      const percent = /(\d+)%/.exec(line);
      if (percent !== null) {
        build.onProgress({ step: 'squashfs', fraction: Number(percent[1]) / 100, text: 'packing' });
      }
    },
  });
}

async function kernelVersion(tree: string): Promise<string> {
  const versions = await readdir(join(tree, 'lib/modules'));
  const version = versions.sort().at(-1);
  if (version === undefined) throw new Error('the package tree has no kernel modules');
  return version;
}

async function prune(tree: string, kernel: string, recipe: EphemeralRecipe): Promise<void> {
  const modules = join(tree, 'lib/modules', kernel, 'kernel');
  const gone = [
    ...recipe.prunedModules.map((path) => join(modules, path)),
    ...recipe.prunedPaths.map((path) => join(tree, path)),
    join(tree, 'boot'),
  ];
  for (const path of gone) await rm(path, { recursive: true, force: true });
  await run('find', [tree, '-xdev', '-name', '__pycache__', '-prune', '-exec', 'rm', '-rf', '{}', '+']);
  for (const path of ['boot', 'var/log', 'var/lib/apt/lists', 'var/cache/apt']) {
    await mkdir(join(tree, path), { recursive: true });
  }
  // Keys that every machine booted from this image would share.
  await run('find', [join(tree, 'etc/ssh'), '-name', 'ssh_host_*', '-delete']);
  await run('chroot', [tree, 'depmod', kernel]);
}
