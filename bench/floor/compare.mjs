#!/usr/bin/env node
// Ingot against the bare recipe (lab/floor), per firmware, one machine at a time, turn and turn about on the same host.
// `npm run bench:floor [-- bios] [-- uefi]` prints a table and writes bench/floor/results.json. Root, and the images.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const root = path.resolve(import.meta.dirname, '../..');
const LIMIT = 1.15;
const OWN_LIMIT_SECONDS = 5;

/**
 * One side: a `lab` command that waits for its turn before each part. `next()` grants the turn it asked for and resolves
 * when it asks again, true, or has ended, false.
 */
function side(...args) {
  const child = spawn(process.execPath, [path.join(root, 'dist/lab.mjs'), ...args, '--turns'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60 * 60_000,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'close');
  let last = '';
  const asks = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (value === 'turn') return true;
      if (done) break;
      // The result: no turn will be asked for any more.
      last = value;
      child.stdin.end();
    }
    const [code] = await ended;
    if (code !== 0) throw new Error(`lab ${args.join(' ')}: exit ${code}`);
    return false;
  };
  return {
    ready: asks,
    next: () => {
      child.stdin.write('\n');
      return asks();
    },
    result: () => JSON.parse(last),
    kill: () => child.kill('SIGTERM'),
  };
}

/**
 * Ingot's parts: enlist; commission; deploy with its first boot; release. The recipe's: commission; deploy; first boot.
 * Each pair that is compared runs within minutes, whatever the host's speed does over the hour.
 */
async function both(firmware) {
  const ingot = side('measure', '--firmware', firmware, '--port', '5240');
  const floor = side('floor', '--firmware', firmware);
  try {
    await Promise.all([ingot.ready(), floor.ready()]);
    for (const turn of [ingot, floor, ingot, floor, ingot, floor]) await turn.next();
    while (await ingot.next());
    return { floor: floor.result(), ingot: ingot.result() };
  } catch (error) {
    ingot.kill();
    floor.kill();
    throw error;
  }
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
  const { floor, ingot } = await both(firmware);
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
