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
/** Short enough to be run more than once: one pair says little on a host whose speed drifts within minutes. */
const COMMISSIONS = 3;
const OWN_LIMIT_SECONDS = 5;

/**
 * One side: a `lab` command that waits for its turn before each part. `next()` grants the turn it asked for and resolves
 * when it asks again, true, or has ended, false.
 */
function side(...args) {
  const child = spawn(
    process.execPath,
    [path.join(root, 'dist/lab.mjs'), ...args, '--turns', '--commissions', String(COMMISSIONS)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 60 * 60_000,
    },
  );
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
 * Ingot's parts: enlist; commissions; deploy with its first boot; release. The recipe's: commissions; deploy; first boot.
 * Each pair that is compared runs within minutes, whatever the host's speed does over the hour.
 */
async function both(firmware) {
  const ingot = side('measure', '--firmware', firmware, '--port', '5240');
  const floor = side('floor', '--firmware', firmware);
  try {
    await Promise.all([ingot.ready(), floor.ready()]);
    await ingot.next();
    for (let round = 0; round < COMMISSIONS; round += 1) {
      await floor.next();
      await ingot.next();
    }
    await floor.next();
    await ingot.next();
    await floor.next();
    while (await ingot.next());
    return { floor: floor.result(), ingot: ingot.result() };
  } catch (error) {
    ingot.kill();
    floor.kill();
    throw error;
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const hundredth = (value) => Math.round(value * 100) / 100;

/** Medians of each side, and of each pair's ratio; with several pairs, all ratios. */
function row(what, floor, ingot) {
  const ratios = ingot.map((ours, round) => hundredth(ours / floor[round]));
  const each = ratios.length > 1 ? ratios.join(' ') : '';
  return { what, floor: median(floor), ingot: median(ingot), ratio: median(ratios), each };
}

function rows(floor, ingot) {
  const pairs = (key) => [floor.commissions.map((one) => one[key]), ingot.commissions.map((one) => one[key])];
  return [
    row('power on to agent', ...pairs('agent')),
    row('commission, power on to off', ...pairs('off')),
    row('deploy job', [floor.deploy.job], [ingot.deployJob]),
    row('first boot to login', [floor.firstBoot], [ingot.firstBoot]),
  ];
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
