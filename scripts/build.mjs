#!/usr/bin/env node
// Bundles every program of Ingot into dist/. `node scripts/build.mjs [NAME …]`; without names, all of them.
// An entry whose inputs have not changed since its last build is left alone. Exit 1 when anything fails.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const recordFile = path.join(dist, '.build.json');
const lockFile = path.join(root, '.build', 'build.lock');

// Bundled CommonJS dependencies call require() for Node's own modules; an ES module has none.
const banner = `import { createRequire as ingotCreateRequire } from 'node:module';
const require = ingotCreateRequire(import.meta.url);`;

// Found at run time in node_modules: they load a native library from beside themselves.
const external = ['koffi', 'pg-native'];

const programs = [
  { name: 'ingot', entry: 'cli/main.ts' },
  { name: 'region', entry: 'region/main.ts' },
  { name: 'rack', entry: 'rack/main.ts' },
  { name: 'lab', entry: 'lab/main.ts' },
  { name: 'images-build', entry: 'region/images/build/main.ts' },
  // The ephemeral image has Debian's Node 18 and no node_modules. Minified: it is read at every boot of a machine. CommonJS,
  // and Node's own modules only when they are used: image builds make a V8 snapshot of it, which can hold neither.
  { name: 'agent', entry: 'agent/main.ts', target: 'node18', external: [], minify: true, format: 'cjs', lazy: true },
];

/** Every `node:` import becomes an object that loads the module at the first look at one of its exports. */
const lazyBuiltins = {
  name: 'lazy-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path: path.slice(5), namespace: 'lazy-builtin' }));
    build.onLoad({ filter: /.*/, namespace: 'lazy-builtin' }, async ({ path: name }) => {
      const names = JSON.stringify(Object.keys(await import(`node:${name}`)).filter((key) => key !== 'default'));
      const contents = `const load = () => require(${JSON.stringify(name)});
for (const name of ${names}) Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });`;
      return { contents, loader: 'js' };
    });
  },
};

const sha = (data) => createHash('sha256').update(data).digest('hex');

async function treeHash(folder) {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !file.includes('node_modules') && !/\.test\.tsx?$/.test(file))
    .sort();
  for (const file of files) hash.update(path.relative(folder, file)).update(await readFile(file));
  return hash.digest('hex');
}

async function inputsHash(inputs, salt) {
  const hash = createHash('sha256').update(salt);
  for (const input of [...inputs].sort()) {
    const file = path.join(root, input);
    if (!existsSync(file)) return 'gone';
    hash.update(input).update(await readFile(file));
  }
  return hash.digest('hex');
}

async function writeAside(file, data) {
  await writeFile(`${file}.${process.pid}`, data);
  await rename(`${file}.${process.pid}`, file);
}

async function buildProgram(program, salt, known) {
  const format = program.format ?? 'esm';
  const outfile = path.join(dist, `${program.name}.${format === 'esm' ? 'mjs' : format}`);
  if (!existsSync(path.join(root, program.entry)))
    return { state: 'missing', detail: `${program.entry} does not exist` };
  if (known && existsSync(outfile) && (await inputsHash(known.inputs, salt)) === known.hash) {
    return { state: 'unchanged', record: known };
  }
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: root,
    entryPoints: [program.entry],
    outfile,
    bundle: true,
    platform: 'node',
    format,
    target: program.target ?? 'node20',
    minify: program.minify ?? false,
    external: program.external ?? external,
    sourcemap: 'linked',
    plugins: program.lazy ? [lazyBuiltins] : [],
    banner: format === 'esm' ? { js: banner } : {},
    // A legal notice of a dependency stays with its code.
    legalComments: 'inline',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  for (const file of result.outputFiles) await writeAside(file.path, file.contents);
  // Dependencies change with the lock file, which is part of the salt; only our own files are read.
  const inputs = Object.keys(result.metafile.inputs).filter((input) => !/node_modules\/|^lazy-builtin:/.test(input));
  return { state: 'built', record: { inputs, hash: await inputsHash(inputs, salt) } };
}

async function copyMigrations() {
  const from = path.join(root, 'region/store/migrations');
  if (!existsSync(from)) return { state: 'missing', detail: 'region/store/migrations does not exist' };
  const to = path.join(dist, 'migrations');
  await mkdir(to, { recursive: true });
  const wanted = (await readdir(from)).filter((name) => name.endsWith('.sql'));
  for (const name of await readdir(to)) if (!wanted.includes(name)) await rm(path.join(to, name));
  for (const name of wanted) await copyFile(path.join(from, name), path.join(to, name));
  return { state: 'built' };
}

async function buildWeb(salt, known) {
  if (!existsSync(path.join(root, 'web/index.html')))
    return { state: 'missing', detail: 'web/index.html does not exist' };
  const parts = await Promise.all(['web', 'core', 'contract'].map((room) => treeHash(path.join(root, room))));
  const hash = sha(salt + parts.join());
  if (known?.hash === hash && existsSync(path.join(dist, 'web/index.html')))
    return { state: 'unchanged', record: known };
  const { build } = await import('vite');
  const outDir = path.join(dist, `web.${process.pid}`);
  try {
    await build({ root: path.join(root, 'web'), logLevel: 'silent', build: { outDir, emptyOutDir: true } });
  } catch (error) {
    await rm(outDir, { recursive: true, force: true });
    throw error;
  }
  await rm(path.join(dist, 'web'), { recursive: true, force: true });
  await rename(outDir, path.join(dist, 'web'));
  return { state: 'built', record: { hash } };
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Two builds at once would write the same files: the second waits, at most two minutes. */
async function lock() {
  mkdirSync(path.dirname(lockFile), { recursive: true });
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      const handle = openSync(lockFile, 'wx');
      writeFileSync(handle, String(process.pid));
      closeSync(handle);
      process.on('exit', () => rmSync(lockFile, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(existsSync(lockFile) ? readFileSync(lockFile, 'utf8') : 0);
    const age = existsSync(lockFile) ? Date.now() - statSync(lockFile).mtimeMs : 0;
    if ((holder > 0 && !alive(holder)) || age > 300_000) rmSync(lockFile, { force: true });
    else if (Date.now() > deadline) throw new Error(`another build (process ${holder}) holds ${lockFile}`);
    else await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function main() {
  const only = process.argv.slice(2).filter((word) => !word.startsWith('-'));
  const quiet = process.argv.includes('--quiet');
  await lock();
  await mkdir(dist, { recursive: true });
  const salt = sha((await readFile(path.join(root, 'package-lock.json'))) + (await readFile(import.meta.filename)));
  let records = {};
  try {
    records = JSON.parse(await readFile(recordFile, 'utf8'));
  } catch {
    // First build, or an unreadable record: everything is built again.
  }
  const jobs = [
    ...programs.map((program) => [program.name, () => buildProgram(program, salt, records[program.name])]),
    ['migrations', () => copyMigrations()],
    ['web', () => buildWeb(salt, records.web)],
  ];
  const unknown = only.filter((name) => !jobs.some(([job]) => job === name));
  if (unknown.length > 0) {
    console.error(`build: no such part: ${unknown.join(', ')}; there are ${jobs.map(([name]) => name).join(', ')}`);
    process.exit(2);
  }
  let failed = 0;
  for (const [name, run] of jobs) {
    if (only.length > 0 && !only.includes(name)) continue;
    const started = performance.now();
    try {
      const { state, detail, record } = await run();
      if (record) records[name] = record;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (state === 'missing') {
        failed += 1;
        console.error(`${name.padEnd(13)} MISSING: ${detail}`);
      } else if (!quiet) console.error(`${name.padEnd(13)} ${state}${state === 'built' ? ` in ${seconds} s` : ''}`);
    } catch (error) {
      failed += 1;
      delete records[name];
      // esbuild says what and where in separate fields, rolldown (vite) in one message.
      const lines = (error.errors ?? [])
        .filter((e) => e.text)
        .map((e) => `  ${e.location ? `${e.location.file}:${e.location.line}: ` : ''}${e.text}`);
      console.error(
        `${name.padEnd(13)} FAILED\n${lines.length > 0 ? lines.slice(0, 20).join('\n') : error.message.split('\n').slice(0, 12).join('\n')}`,
      );
    }
  }
  await writeAside(recordFile, JSON.stringify(records, null, 1));
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
