#!/usr/bin/env node
// `npm run bench [-- NAME…] [-- --list] [-- --rounds N] [-- --markdown] [-- --stored]`: Ingot beside what people use today, on this host, in one run.
// Installs the opponents (Debian's, nothing is started by that), bundles the benches and runs them in turn. Exit 1 when
// a number is not reached or a bench failed, 2 when the host has to be changed first. --stored prints the newest results
// again without running; --markdown prints either as in docs/performance.md.
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureNode, HostError, installModules, root } from '../scripts/bootstrap.mjs';
import { installPackages, missingBenchPackages } from '../scripts/debian-packages.mjs';

const bundles = path.join(root, 'dist/bench');
// Bundled CommonJS dependencies call require() for Node's own modules; an ES module has none.
const banner = `import { createRequire as ingotCreateRequire } from 'node:module';
const require = ingotCreateRequire(import.meta.url);`;

/** bench/NAME/bench.ts and the programs it starts, each bundled as the product's own programs are. */
async function bundle() {
  const names = [];
  const entryPoints = ['bench/harness/main.ts'];
  for (const entry of await readdir(path.join(root, 'bench'), { withFileTypes: true })) {
    const folder = path.join(root, 'bench', entry.name);
    // The harness has a bench.ts, too: what a bench is.
    if (!entry.isDirectory() || entry.name === 'harness' || !existsSync(path.join(folder, 'bench.ts'))) continue;
    names.push(entry.name);
    const files = (await readdir(folder)).filter((file) => file === 'bench.ts' || file.endsWith('-program.ts'));
    entryPoints.push(...files.map((file) => `bench/${entry.name}/${file}`));
  }
  await mkdir(bundles, { recursive: true });
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: bundles,
    outbase: 'bench',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['koffi', 'pg-native'],
    sourcemap: 'linked',
    banner: { js: banner },
    logLevel: 'warning',
  });
  return names.sort();
}

const load = (file) => import(pathToFileURL(path.join(bundles, file)).href);

function readArguments(words) {
  const wanted = { names: [], list: false, markdown: false, stored: false, rounds: 3 };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--list') wanted.list = true;
    else if (words[i] === '--markdown') wanted.markdown = true;
    else if (words[i] === '--stored') wanted.stored = true;
    else if (words[i] === '--rounds') wanted.rounds = Number(words[++i]);
    else if (words[i].startsWith('-')) throw new HostError(`no such option: ${words[i]}`);
    else wanted.names.push(words[i]);
  }
  if (!Number.isInteger(wanted.rounds) || wanted.rounds < 1 || wanted.rounds > 99) {
    throw new HostError('--rounds takes a number from 1 to 99');
  }
  return wanted;
}

async function main() {
  const wanted = readArguments(process.argv.slice(2));
  await installModules((step, text) => console.error(`${step}: ${text}`));
  const names = await bundle();
  const unknown = wanted.names.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new HostError(`no such bench: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  const benches = [];
  for (const name of wanted.names.length > 0 ? wanted.names : names) {
    benches.push((await load(`${name}/bench.mjs`)).bench);
  }
  if (wanted.list) {
    for (const bench of benches) console.log(`${bench.name.padEnd(16)} ${bench.what}`);
    return;
  }
  if (wanted.stored) {
    const { printStored } = await load('harness/main.mjs');
    const known = benches.map((bench) => bench.name);
    await printStored(root, known, wanted.markdown);
    return;
  }
  const isRoot = process.getuid() === 0;
  const forRoot = benches.filter((bench) => bench.needsRoot).map((bench) => bench.name);
  if (!isRoot && forRoot.length > 0) throw new HostError(`${forRoot.join(', ')} needs root: sudo npm run bench`);
  const missing = await missingBenchPackages();
  if (missing.length > 0) {
    if (!isRoot) throw new HostError(`packages are missing: sudo scripts/bootstrap --bench (${missing.join(' ')})`);
    console.error(`Debian packages: ${missing.join(' ')}`);
    await installPackages(missing, () => undefined);
  }
  const { runBenches } = await load('harness/main.mjs');
  const { reached } = await runBenches(benches, { root, bundles, rounds: wanted.rounds, markdown: wanted.markdown });
  process.exitCode = reached ? 0 : 1;
}

// Through the exit handlers: they end what was started and clear what was written.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
try {
  await ensureNode();
  await main();
} catch (error) {
  console.error(error instanceof HostError ? `ingot: ${error.message}` : error);
  process.exitCode = error instanceof HostError ? 2 : 1;
}
