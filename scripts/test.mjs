#!/usr/bin/env node
// `npm test`: everything that is checked, in one run, and a plain closing line "N passed, N failed".
// `-- --fast` leaves out the QEMU story. Exit 1 when anything failed, 2 when the host has to be changed first.
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { bootstrap, cacheFolder, ensureNode, HostError, root, run } from './bootstrap.mjs';

let passed = 0;
let failed = 0;
const failures = [];

async function check(name, argv) {
  const started = performance.now();
  console.log(`\n== ${name}`);
  const code = await run(argv, { spawn: { stdio: 'inherit' } });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (code === 0) passed += 1;
  else {
    failed += 1;
    failures.push(`${name} (exit ${code})`);
  }
  console.log(`== ${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
}

/** Of a message, what says it at the end of a log whose beginning may be cut off. */
const TOLD = 600;
const beginning = (why) => stripVTControlCharacters(why).slice(0, TOLD).trim().replaceAll('\n', '\n  ');

const bin = (name) => path.join(root, 'node_modules/.bin', name);

/**
 * Runs a vitest project and adds up its tests one by one; a file that could not even start counts as one failure. What runs
 * `aside`, while others run, says everything at its end.
 */
async function tests(name, project, folder, { aside = false } = {}) {
  const report = path.join(folder, `${project}.json`);
  const started = performance.now();
  console.log(`\n== ${name}${aside ? ', beside what follows' : ''}`);
  const log = path.join(folder, `${project}.log`);
  const output = aside ? await open(log, 'w') : null;
  const stdio = output === null ? 'inherit' : ['ignore', output.fd, output.fd];
  const code = await run(
    [
      bin('vitest'),
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { spawn: { stdio } },
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (output !== null) {
    await output.close();
    console.log(`\n== ${name}, as it went:\n${await readFile(log, 'utf8')}`);
  }
  let result = null;
  try {
    result = JSON.parse(await readFile(report, 'utf8'));
  } catch {
    // Counted below: no report is a failure of its own.
  }
  if (result === null) {
    failed += 1;
    failures.push(`${name}: no report (exit ${code})`);
    return;
  }
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  for (const file of result.testResults) {
    const broken = file.assertionResults.filter((one) => one.status === 'failed');
    for (const one of broken) {
      const [why = ''] = one.failureMessages ?? [];
      failures.push(`${path.relative(root, file.name)}: ${one.fullName}\n  ${beginning(why)}`);
    }
    if (file.status === 'failed' && broken.length === 0) {
      failed += 1;
      failures.push(`${path.relative(root, file.name)}: ${file.message.split('\n')[0]}`);
    }
    // A skipped test has shown nothing: where it was not asked for, it is a failure to look at.
    const unrun = file.assertionResults.filter((one) => one.status === 'skipped' || one.status === 'pending');
    for (const one of unrun) console.log(`not run: ${path.relative(root, file.name)}: ${one.fullName}`);
  }
  if (code !== 0 && result.numFailedTests === 0 && failures.length === 0) {
    failed += 1;
    failures.push(`${name}: vitest ended with exit ${code}`);
  }
  console.log(`== ${name}: ${result.numPassedTests} passed, ${result.numFailedTests} failed in ${seconds} s`);
}

async function main() {
  await ensureNode();
  const fast = process.argv.includes('--fast');
  let last = '';
  await bootstrap({
    tests: true,
    ports: [],
    cache: cacheFolder(),
    say: (step, text) => {
      if (text !== last) console.log(`${step}: ${text}`);
      last = text;
    },
  });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ingot-test-'));
  try {
    await check('style and format', [bin('biome'), 'check', '.']);
    await check('types', [bin('tsc'), '-b']);
    await tests('unit and property tests', 'unit', folder);
    // One emulated machine at a time leaves a second processor free.
    const story = fast ? null : tests('the main job in QEMU', 'story', folder, { aside: true });
    await tests('integration tests on PostgreSQL', 'pg', folder);
    await tests('integration tests as root', 'root', folder);
    await tests('the console and the tutorial against simulated machines', 'web', folder);
    await story;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const started = performance.now();
try {
  await main();
  if (failures.length > 0) console.log(`\n${failures.map((line) => `FAILED ${line}`).join('\n')}`);
  console.log(`\nin ${Math.round((performance.now() - started) / 1000)} s`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  console.error(`ingot: ${error.message}`);
  process.exitCode = error instanceof HostError ? 2 : 1;
}
