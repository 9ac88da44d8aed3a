import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { destination, type Logger, pino } from 'pino';
import { createToken, formatToken, listTokens } from './accounts/api-tokens.ts';
import { createUser, findUser } from './accounts/users.ts';
import { parseCommandLine, type RegionCommand, USAGE, UsageError } from './server/command-line.ts';
import { claimSocket } from './server/listen.ts';
import { closeState, openState } from './server/open-state.ts';
import { RestoreRefused, restoreDump } from './server/restore.ts';
import { serveRegion } from './server/serve.ts';
import { watchCluster } from './server/watch-cluster.ts';
import { Problem } from './store/problem.ts';

/**
 * V8 lets what outlived two scavenges grow to up to four times of what is in use before it looks for garbage among it.
 * Twice is enough: a region at work takes some 50 MB less of memory, and no more CPU than runs differ by.
 */
setFlagsFromString('--heap-growing-percent=100');

/** A PostgreSQL on a slow disk takes seconds to end; whoever stops us kills after ten. */
const STOP_WITHIN_MS = 9000;

/** Beside the bundle in dist/, or in the source tree. */
function beside(...candidates: string[]): string {
  const found = candidates.map((name) => path.resolve(import.meta.dirname, name)).find((name) => existsSync(name));
  return found ?? path.resolve(import.meta.dirname, candidates[0] ?? '.');
}

/** From here on a signal no longer ends the process: what it has started has to end first, a PostgreSQL above all. */
function stopOnSignal(log: Logger): AbortSignal {
  const stop = new AbortController();
  stop.signal.addEventListener('abort', () => {
    setTimeout(() => {
      log.error('not everything ended in time; leaving it');
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

async function serve(command: Extract<RegionCommand, { command: 'serve' }>, log: Logger): Promise<void> {
  const started = performance.now();
  const stop = stopOnSignal(log);
  // Before anything of the state is touched.
  await claimSocket(path.join(command.stateDir, 'run', 'api.sock'));
  const state = await openState({ ...stateOptions(command, log), signal: stop }).catch((error: unknown) => {
    if (stop.aborted) return null;
    throw error;
  });
  if (!state) return log.info('stopped before it served');
  const cluster = state.cluster && watchCluster(state.cluster, command.stateDir, log);
  const closing = async () => {
    await closeState({ ...state, cluster: null }, 'guest');
    await cluster?.stop();
  };
  if (stop.aborted) return closing();
  const webDir = beside('web', '../dist/web');
  const racks = command.rackListen && { listen: command.rackListen, names: command.rackNames };
  const options = { state, stateDir: command.stateDir, tcp: command.listen, racks, webDir, log };
  const region = await serveRegion(options).catch(async (error: unknown) => {
    await closing();
    throw error;
  });
  const ms = Math.round(performance.now() - started);
  log.info({ host: command.listen.host, port: region.port, ms }, 'region serves');
  if (!stop.aborted) await once(stop, 'abort');
  await region.stop();
  await closing();
  log.info('region ended');
}

function stateOptions(command: RegionCommand, log: Logger) {
  const { stateDir, databaseUrl } = command;
  const migrations = beside('migrations', 'store/migrations');
  const migrateOwn = command.command === 'migrate' || command.command === 'init';
  return { stateDir, databaseUrl, migrations, migrateOwn, name: `ingot ${command.command}`, log };
}

async function runOnce(command: Exclude<RegionCommand, { command: 'serve' }>, log: Logger): Promise<void> {
  const options = stateOptions(command, log);
  const state = await openState(options);
  try {
    if (command.command === 'restore') await restoreDump(state, command.file, options);
    if (command.command === 'createadmin') {
      const { username, email } = command;
      const password = command.password === '-' ? (await text(process.stdin)).replace(/\r?\n$/, '') : command.password;
      await createUser(state, { username, password, email, isAdmin: true });
    }
    if (command.command === 'apikey') {
      const user = await findUser(state, command.username);
      if (!user) throw new UsageError(`there is no user ${command.username}: make one with createadmin`);
      const [oldest] = command.generate ? [] : await listTokens(state, user.id);
      process.stdout.write(`${formatToken(oldest ?? (await createToken(state, user.id)))}\n`);
    }
  } finally {
    await closeState(state, 'guest');
  }
}

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const command = parseCommandLine(argv, process.env.INGOT_DATABASE_URL);
  const stateDir = path.resolve(command.stateDir);
  const log = pino({ level: command.logLevel, base: { process: 'region' } }, destination(2));
  if (command.command === 'serve') await serve({ ...command, stateDir }, log);
  else await runOnce({ ...command, stateDir }, log);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const isInput = [UsageError, Problem, RestoreRefused].some((kind) => error instanceof kind);
    process.stderr.write(`region: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(isInput ? 2 : 1);
  },
);
