#!/usr/bin/env node
// Ingot against the bare recipe (lab/floor), per firmware, one machine at a time, turn and turn about on the same host.
// `npm run bench:floor [-- bios] [-- uefi]` prints a table and writes bench/floor/results.json. Root, and the images.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const LIMIT = 1.15;
const OWN_LIMIT_SECONDS = 5;

function lab(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'dist/lab.mjs'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 40 * 60_000,
    });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text.trim().split('\n').at(-1)));
      else reject(new Error(`lab ${args.join(' ')}: exit ${code}`));
    });
  });
}

function rows(floor, ingot) {
  const pairs = [
    ['power on to agent', floor.commission.agent, ingot.commission.agent],
    ['commission, power on to off', floor.commission.off, ingot.commission.off],
    ['deploy job', floor.deploy.job, ingot.deployJob],
    ['first boot to login', floor.firstBoot, ingot.firstBoot],
  ];
  return pairs.map(([what, bare, ours]) => ({
    what,
    floor: bare,
    ingot: ours,
    ratio: Math.round((ours / bare) * 100) / 100,
  }));
}

const wanted = process.argv.slice(2).filter((word) => word === 'bios' || word === 'uefi');
const results = [];
for (const firmware of wanted.length > 0 ? wanted : ['bios', 'uefi']) {
  const load = os.loadavg()[0];
  const floor = await lab('floor', '--firmware', firmware);
  const ingot = await lab('measure', '--firmware', firmware, '--port', '5240');
  const table = rows(floor, ingot);
  console.log(`\n${firmware}, load before ${load.toFixed(1)}`);
  console.table(table);
  console.log('own seconds per attempt', ingot.ownSeconds);
  const slow = table.filter(({ ratio }) => ratio > LIMIT).map(({ what }) => what);
  const own = Object.entries(ingot.ownSeconds).filter(([, seconds]) => seconds > OWN_LIMIT_SECONDS);
  results.push({
    firmware,
    load,
    cpus: os.cpus().length,
    table,
    floor,
    ingot,
    within: slow.length === 0 && own.length === 0,
  });
  if (slow.length > 0) console.log(`above ${LIMIT} × floor: ${slow.join(', ')}`);
  if (own.length > 0) console.log(`own share above ${OWN_LIMIT_SECONDS} s: ${own.map(([kind]) => kind).join(', ')}`);
}
await writeFile(path.join(root, 'bench/floor/results.json'), `${JSON.stringify(results, null, 1)}\n`);
process.exitCode = results.every(({ within }) => within) ? 0 : 1;
