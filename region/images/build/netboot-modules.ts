import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CpioEntry } from './cpio.ts';
import { run } from './run.ts';

/** Drivers that must be in the initramfs: the way to the rack, and what the root image is mounted with. */
const WANTED = [
  ...'virtio_pci virtio_mmio virtio_net e1000 e1000e igb igbvf igc ixgbe ixgbevf i40e iavf ice'.split(' '),
  ...'tg3 bnx2 bnx2x bnxt_en be2net qede mlx4_en mlx5_core r8169 8139cp 8139too pcnet32'.split(' '),
  ...'forcedeth sky2 atl1c alx atlantic enic sfc cxgb4 nfp ena vmxnet3 hv_netvsc hv_vmbus'.split(' '),
  ...'xen-netfront realtek broadcom overlay squashfs loop'.split(' '),
];

/**
 * Files below lib/modules/VERSION for the wanted drivers and all they depend on, with the indexes busybox's modprobe reads.
 * Drivers the kernel has built in or does not know are passed over.
 */
export async function netbootModules(tree: string, version: string): Promise<CpioEntry[]> {
  const base = join(tree, 'lib/modules', version);
  const dependencies = parseModulesDep(await readFile(join(base, 'modules.dep'), 'utf8'));
  const chosen = new Set<string>();
  for (const name of WANTED) for (const path of withDependencies(name, dependencies)) chosen.add(path);
  if (![...chosen].some((path) => path.includes('overlay'))) throw new Error(`kernel ${version} has no overlay module`);
  const entries: CpioEntry[] = [];
  for (const path of [...chosen].sort()) {
    const content = await moduleContent(join(base, path));
    entries.push({
      path: `lib/modules/${version}/${path.replace(/\.(xz|zst)$/, '')}`,
      kind: 'file',
      mode: 0o644,
      content,
    });
  }
  entries.push(...(await indexes(entries, tree, version)));
  return entries;
}

/** modules.dep: path → paths it needs, keyed by module name with `_` for `-`. */
export function parseModulesDep(text: string): Map<string, { path: string; needs: string[] }> {
  const modules = new Map<string, { path: string; needs: string[] }>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    modules.set(moduleName(path), {
      path,
      needs: line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .filter(Boolean),
    });
  }
  return modules;
}

function withDependencies(name: string, modules: Map<string, { path: string; needs: string[] }>): string[] {
  const module = modules.get(moduleName(name));
  // depmod writes the whole closure behind the colon, so one step is enough.
  return module === undefined ? [] : [module.path, ...module.needs];
}

function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? path).replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');
}

/** busybox's modprobe does not read compressed modules; Debian compresses them from 13 on. */
async function moduleContent(path: string): Promise<Buffer> {
  if (!path.endsWith('.xz')) return readFile(path);
  return new Promise((resolve, reject) => {
    execFile('xz', ['-dc', path], { encoding: 'buffer', maxBuffer: 64 << 20 }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
}

/** Made by the tree's own depmod, as the host may have none. */
async function indexes(entries: CpioEntry[], tree: string, version: string): Promise<CpioEntry[]> {
  const scratch = 'tmp/netboot-modules';
  const root = join(tree, scratch);
  const base = join(tree, 'lib/modules', version);
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    await mkdir(join(root, entry.path, '..'), { recursive: true });
    await writeFile(join(root, entry.path), entry.content);
  }
  const directory = join(root, 'lib/modules', version);
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    await writeFile(join(directory, name), await readFile(join(base, name)));
  }
  await run('chroot', [tree, 'depmod', '-b', `/${scratch}`, version]);
  const made: CpioEntry[] = [];
  for (const name of (await readdir(directory)).sort()) {
    // The binary indexes are kmod's; busybox reads the text ones.
    if (!/^modules\.(dep|alias|symbols|softdep|builtin)$/.test(name)) continue;
    const content = await readFile(join(directory, name));
    made.push({ path: `lib/modules/${version}/${name}`, kind: 'file', mode: 0o644, content });
  }
  await rm(root, { recursive: true, force: true });
  return made;
}
