import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { Health, UserView, WhoAmI } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { socketOf } from '../client/connection.ts';
import { clientOf, exchange } from '../client/request.ts';
import { type CliContext, type GlobalOptions, stateDirOf } from '../context.ts';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import { newPassword } from '../site/accounts.ts';
import { type SupervisedChild, supervise } from './child.ts';
import { lockState } from './lock.ts';
import { logFile } from './log-file.ts';

/** The first start makes a database cluster. */
const START_WITHIN_MS = 90_000;
const ASK_EVERY_MS = 50;
/** A region that ends this often before it ever answered will not come up by itself. */
const HOPELESS_AFTER = 3;

export interface UpOptions extends GlobalOptions {
  listen: string;
  database?: string;
  rackListen?: string;
  rackName?: string[];
  rack: boolean;
  rackAddress?: string[];
  rackInterface?: string[];
  leases?: string;
  tftp?: boolean;
}

/** `ingot up`: region and rack as children, until a signal asks to stop. */
export async function up(context: CliContext, options: UpOptions): Promise<ExitCode> {
  const stateDir = path.resolve(stateDirOf(context, options));
  prepare(stateDir);
  const lock = lockState(stateDir);
  const stopped = stopSignal();
  const say = (line: string) => context.stderr.write(`${line}\n`);
  const children: SupervisedChild[] = [];
  try {
    const ends: string[] = [];
    const start = (name: string, argv: string[]) => {
      const child = supervise({
        name,
        argv: [process.execPath, path.join(context.dist, `${name}.mjs`), ...argv],
        env: process.env,
        log: logFile(path.join(stateDir, 'log', `${name}.log`)),
        onEnd: ({ how, tail, waitMs }) => {
          const last = lastWords(tail);
          if (name === 'region') ends.push(last);
          say(`${name} ended (${how})${last ? `: ${last}` : ''}; starting it again in ${waitMs / 1000} s`);
        },
      });
      children.push(child);
    };
    start('region', regionArguments(stateDir, options));
    const health = await firstAnswer(stateDir, ends, stopped);
    if (!health) return EXIT.ok;
    if (options.rack) start('rack', rackArguments(stateDir, options));
    await firstAdmin(context, stateDir);
    context.stdout.write(`Ingot runs at ${urlOf(options.listen)} (state ${stateDir}, Ctrl-C stops it)\n`);
    await stopped.asked;
    say('Stopping…');
    return EXIT.ok;
  } finally {
    // The rack first: it goes on serving until its region goes, never the other way round.
    for (const child of children.reverse()) await child.stop();
    stopped.close();
    lock.release();
  }
}

function prepare(stateDir: string): void {
  try {
    mkdirSync(path.join(stateDir, 'run'), { recursive: true });
    mkdirSync(path.join(stateDir, 'log'), { recursive: true });
  } catch (error) {
    throw new CliFailure(`${stateDir} cannot be made: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      fix: 'run it as root, or choose a directory of yours: --state DIR',
    });
  }
}

export function regionArguments(stateDir: string, options: UpOptions): string[] {
  const argv = ['--state', stateDir, '--listen', options.listen];
  if (options.database !== undefined) argv.push('--database', options.database);
  if (options.rackListen !== undefined) argv.push('--rack-listen', options.rackListen);
  for (const name of options.rackName ?? []) argv.push('--rack-name', name);
  return argv;
}

export function rackArguments(stateDir: string, options: UpOptions): string[] {
  const argv = ['--state', stateDir, '--region', `unix:${path.join(stateDir, 'run', 'rack.sock')}`];
  for (const address of options.rackAddress ?? []) argv.push('--address', address);
  // On one host the rack links the region's own blobs instead of copying them.
  argv.push('--blobs', path.join(stateDir, 'blobs'));
  for (const name of options.rackInterface ?? []) argv.push('--interface', name);
  if (options.leases !== undefined) argv.push('--leases', path.resolve(options.leases));
  if (options.tftp === false) argv.push('--no-tftp');
  return argv;
}

/** Waits until the region answers; null when a signal came first. Throws with the region's last words. */
async function firstAnswer(stateDir: string, ends: string[], stopped: StopSignal): Promise<Health | null> {
  const socket = socketOf(stateDir);
  const deadline = Date.now() + START_WITHIN_MS;
  while (Date.now() < deadline) {
    if (await stopped.within(ASK_EVERY_MS)) return null;
    if (ends.length >= HOPELESS_AFTER) break;
    if (!existsSync(socket)) continue;
    const answer = await exchange({ kind: 'socket', path: socket }, 'GET', '/healthz', undefined, 2000).catch(
      () => null,
    );
    if (answer?.status === 200) return Health.parse(JSON.parse(answer.text));
  }
  const last = ends.at(-1);
  throw new CliFailure(`the region does not come up${last ? `: ${last}` : ''}`, {
    exitCode: EXIT.failed,
    fix: `read ${path.join(stateDir, 'log', 'region.log')}, or run: ingot doctor --state ${stateDir}`,
  });
}

/** On the very first start there is nobody who could log in. */
async function firstAdmin(context: CliContext, stateDir: string): Promise<void> {
  const client = clientOf({ kind: 'socket', path: socketOf(stateDir) });
  const users = await client.get('/users', z.array(UserView));
  if (users.some((user) => user.admin)) return;
  const account = { username: 'admin', password: newPassword(), admin: true };
  await client.post('/users', account, WhoAmI);
  context.stdout.write(`Log in as admin with the password ${account.password} (shown once)\n`);
}

const WARNING = 40;

/** The last complaint that the child wrote: a plain line, or the text of a log record from warning up. */
export function lastWords(tail: string): string {
  const line = tail.trimEnd().split('\n').at(-1) ?? '';
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record !== 'object' || record === null || !('msg' in record) || !('level' in record)) return '';
    return Number(record.level) >= WARNING ? String(record.msg).slice(0, 300) : '';
  } catch {
    return line.slice(0, 300);
  }
}

function urlOf(listen: string): string {
  return `http://${listen.replace(/^(0\.0\.0\.0|\[::\]):/, 'localhost:')}/`;
}

interface StopSignal {
  asked: Promise<void>;
  /** True when asked to stop, at the latest after `ms`. */
  within(ms: number): Promise<boolean>;
  close(): void;
}

function stopSignal(): StopSignal {
  let stop: () => void = () => undefined;
  let isAsked = false;
  const asked = new Promise<void>((resolve) => {
    stop = () => {
      isAsked = true;
      resolve();
    };
  });
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return {
    asked,
    async within(ms) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([asked, late]);
      clearTimeout(timer);
      return isAsked;
    },
    close: () => {
      process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
    },
  };
}
