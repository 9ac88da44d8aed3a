#!/usr/bin/env node
// `npm run demo [-- --once] [-- --json] [-- --port N]`: prepares this host, then plays the main job in the lab.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, bootstrapWithoutRoot, cacheFolder, ensureNode, HostError, root } from './bootstrap.mjs';

const WIDTH = 24;

/** One line that is written over on a terminal; elsewhere a line per step. Standard error: --json owns standard output. */
function progress() {
  const { stderr } = process;
  let last = '';
  return {
    say(step, text, fraction = null) {
      const full = Math.round((fraction ?? 0) * WIDTH);
      const bar = fraction === null ? '' : `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] `;
      if (stderr.isTTY) stderr.write(`\r\u001b[K${`${step}: ${bar}${text}`.slice(0, (stderr.columns ?? 80) - 1)}`);
      else if (step !== last) stderr.write(`${step}: ${text}\n`);
      last = step;
    },
    end() {
      if (stderr.isTTY && last !== '') stderr.write('\r\u001b[K');
    },
  };
}

/** A demo that was killed still holds its port: it has to go before ports are looked at. */
async function clearLeftovers(say) {
  const lab = path.join(root, 'dist/lab.mjs');
  if (!existsSync(lab)) return;
  const said = await new Promise((resolve) => {
    execFile(process.execPath, [lab, 'clean'], { timeout: 60_000 }, (_, stdout) => resolve(String(stdout).trim()));
  });
  if (said.startsWith('removed')) say('cleaning up after a demo that did not end', said);
}

/** As lab.mjs reads them, before anything is installed for them. */
function readArguments() {
  const args = process.argv.slice(2);
  const flag = { type: 'boolean' };
  let values;
  try {
    ({ values } = parseArgs({ args, options: { once: flag, json: flag, port: { type: 'string', default: '5240' } } }));
  } catch (error) {
    throw new HostError(`${error.message.split('\n')[0]} (npm run demo -- [--once] [--json] [--port N])`);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new HostError('--port is a number below 65536');
  return { args, port };
}

async function main() {
  const { args, port } = readArguments();
  await ensureNode();
  const started = performance.now();
  const line = progress();
  const isRoot = process.getuid() === 0;
  if (isRoot) {
    await clearLeftovers(line.say);
    await bootstrap({ tests: false, ports: [port], cache: cacheFolder(), say: line.say });
  } else {
    process.stderr.write('not root: simulated machines play the story; sudo npm run demo plays it on virtual ones\n');
    await bootstrapWithoutRoot({ ports: [port], say: line.say });
  }
  line.end();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stderr.write(`host prepared in ${seconds} s\n`);
  const story = isRoot ? ['demo', '--cache', cacheFolder()] : ['demo-sim'];
  const child = spawn(process.execPath, [path.join(root, 'dist/lab.mjs'), ...story, ...args], { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself (same terminal); we only have to outlive its cleaning up.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    process.exitCode = signal ? 128 + (os.constants.signals[signal] ?? 0) : (code ?? 1);
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\ningot: ${error.message}\n`);
  process.exitCode = error instanceof HostError ? 2 : 1;
}
