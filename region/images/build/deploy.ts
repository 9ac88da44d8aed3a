import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootstrapTree } from './bootstrap-tree.ts';
import { type DeployKernel, deployRecipe } from './deploy-recipe.ts';
import { hostRelease } from './host-release.ts';
import type { BuildInput, BuiltImage } from './progress.ts';
import { run } from './run.ts';
import { describeFile, findStored, recipeKey, store } from './stored-build.ts';
import { timed, today } from './timed.ts';

/**
 * cloud-init settings of the image itself. `off` is quoted: plain, YAML reads it as false and cloud-init warns. Partitions
 * have their final size at installation; no locale is generated; the archives stay those the image was built from.
 */
const CLOUD_CONFIG = `locale: false
growpart: {mode: "off"}
resize_rootfs: false
ssh_genkeytypes: [ed25519]
apt: {preserve_sources_list: true}
`;

const ARCHIVE = 'root.tar.zst';

/**
 * A root file system of the host's release to be unpacked on disk. Both boot loaders are in it; the installer runs the right
 * one inside it. Needs root, mmdebstrap, tar and zstd.
 */
export async function buildDeploy(
  build: BuildInput & { release?: string; kernel?: DeployKernel },
): Promise<BuiltImage> {
  const host = await hostRelease();
  const release = build.release ?? host.codename;
  const kernel = build.kernel ?? 'cloud';
  const recipe = deployRecipe(release, host.architecture, kernel);
  const directory = join(build.outDir, `deploy-${release}-${kernel}`);
  const key = recipeKey({ ...recipe, cloudConfig: CLOUD_CONFIG, mirror: build.mirror ?? null });
  const seconds: Record<string, number> = {};
  let stored = build.refresh === true ? null : await findStored(directory, key, [ARCHIVE]);
  if (stored === null) {
    const workDir = join(build.workDir, `deploy.${process.pid}`);
    const tree = join(workDir, 'tree');
    const archive = join(directory, `${ARCHIVE}.new`);
    try {
      await mkdir(workDir, { recursive: true });
      await mkdir(directory, { recursive: true });
      await timed(seconds, 'packages', build, () => bootstrapTree({ ...recipe, target: tree }, build));
      await customise(tree);
      await timed(seconds, 'archive', build, () => pack(tree, archive));
      stored = { key, version: today(), kernelVersion: '' };
      await store(directory, stored, { [ARCHIVE]: archive });
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  return {
    purpose: 'deploy',
    os: host.os,
    release,
    arch: host.architecture,
    version: stored.version,
    title: release === host.codename ? host.title : `Debian ${release}`,
    files: [await describeFile(join(directory, ARCHIVE), 'root-tar.zst')],
    seconds,
  };
}

/** Make the tree a template: nothing in it may identify a machine. */
async function customise(tree: string): Promise<void> {
  await writeFile(join(tree, 'etc/cloud/cloud.cfg.d/10_image.cfg'), CLOUD_CONFIG);
  await mkdir(join(tree, 'etc/systemd/system'), { recursive: true });
  // Took 9 to 17 s of a first boot and only serves LVM snapshots.
  await symlink('/dev/null', join(tree, 'etc/systemd/system/e2scrub_reap.service'));
  await writeFile(join(tree, 'etc/machine-id'), '');
  await rm(join(tree, 'var/lib/dbus/machine-id'), { force: true });
  await rm(join(tree, 'etc/hostname'), { force: true });
  await rm(join(tree, 'etc/resolv.conf'), { force: true });
  await symlink('../run/systemd/resolve/stub-resolv.conf', join(tree, 'etc/resolv.conf'));
  await run('find', [join(tree, 'etc/ssh'), '-name', 'ssh_host_*', '-delete']);
  for (const path of ['var/lib/apt/lists', 'var/cache/apt', 'var/log/apt']) {
    await rm(join(tree, path), { recursive: true, force: true });
    await mkdir(join(tree, path), { recursive: true });
  }
  await rm(join(tree, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
  await mkdir(join(tree, 'boot/efi'), { recursive: true });
}

async function pack(tree: string, archive: string): Promise<void> {
  const tar = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--sort=name', '--one-file-system', '-C', tree];
  await run('tar', [...tar, '--use-compress-program=zstd -T0 -9', '-cf', archive, '.']);
}
