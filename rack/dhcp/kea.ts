import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { KeaConfig, KeaPaths } from './kea-config.ts';
import { keaCommand } from './kea-control.ts';
import { isAgreeing, isPaired } from './kea-pair.ts';
import { endStaleKea, type KeaProcess, startKea } from './kea-process.ts';
import { keaHears, type SendDiscover, sendDiscover } from './probe.ts';

export interface KeaOptions {
  /** DIR/rack/kea */
  dir: string;
  log: Logger;
  commandPrefix?: readonly string[];
  /** How the probe's DISCOVER gets on the wire. */
  send?: SendDiscover;
}

export type Applied = { ok: true; milliseconds: number } | { ok: false; error: string };

export interface Kea {
  paths: KeaPaths;
  /**
   * Makes this the running configuration, or says why not and keeps the last good one running. `addresses` are ours on
   * the served interfaces. Calls are carried out one after another; of several waiting only the last.
   */
  apply(config: KeaConfig, addresses: readonly string[]): Promise<Applied>;
  health(): { ok: boolean; detail: string };
  stop(): Promise<void>;
}

const HOOKS = [
  '/usr/lib/x86_64-linux-gnu/kea/hooks',
  '/usr/lib/aarch64-linux-gnu/kea/hooks',
  '/usr/local/lib/kea/hooks',
];
const COMMAND_DEADLINE_MS = 10_000;
const PROBE_DEADLINE_MS = 1000;
const RESTART_WAITS_MS = [100, 500, 1000, 2000, 5000];

interface Good {
  config: KeaConfig;
  addresses: readonly string[];
}

/** One Kea, started at its first configuration and kept alive until `stop`. */
export async function openKea(options: KeaOptions): Promise<Kea> {
  const { dir, log } = options;
  const send = options.send ?? sendDiscover;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await endStaleKea(dir);
  const configFile = join(dir, 'dhcp4.json');
  const paths: KeaPaths = {
    controlSocket: join(dir, 'ctl'),
    leaseFile: join(dir, 'leases4.csv'),
    leaseHook: await findHook('libdhcp_lease_cmds.so'),
  };
  let running: KeaProcess | null = null;
  let good: Good | null = null;
  let detail = 'not started: no VLAN to serve';
  let stopped = false;
  let restartTimer: NodeJS.Timeout | undefined;
  let restarts = 0;
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const result = queue.then(step);
    queue = result.catch(() => undefined);
    return result;
  };

  const write = async (config: KeaConfig) => {
    await writeFile(`${configFile}.new`, JSON.stringify(config, null, 1), { mode: 0o600 });
    await rename(`${configFile}.new`, configFile);
  };
  const start = async (wanted: Good): Promise<void> => {
    await write(wanted.config);
    const onExit = (why: string) => {
      running = null;
      detail = `Kea died: ${why}`;
      log.error({ why }, 'kea died');
      scheduleRestart();
    };
    running = await startKea({ dir, controlSocket: paths.controlSocket, configFile, log, onExit, ...prefix() });
    log.info({ pid: running.pid }, 'kea started');
  };
  const prefix = () => (options.commandPrefix ? { commandPrefix: options.commandPrefix } : {});

  function scheduleRestart(): void {
    if (stopped) return;
    const wait = RESTART_WAITS_MS[Math.min(restarts, RESTART_WAITS_MS.length - 1)] ?? 5000;
    restarts += 1;
    restartTimer = setTimeout(() => void inTurn(revive), wait);
  }
  async function revive(): Promise<void> {
    if (stopped || running !== null || good === null) return;
    try {
      await start(good);
      detail = 'serving';
    } catch (error) {
      detail = messageOf(error);
      scheduleRestart();
    }
  }

  const set = async (config: KeaConfig) =>
    await keaCommand(paths.controlSocket, 'config-set', config, COMMAND_DEADLINE_MS);
  const hears = async (wanted: Good): Promise<boolean> => {
    try {
      // One of a pair that has not agreed with the other yet is deaf on purpose, and serves when it has.
      if (isPaired(wanted.config) && (await isAgreeing(paths.controlSocket))) return true;
      return await keaHears(paths.controlSocket, wanted.addresses, send, PROBE_DEADLINE_MS);
    } catch {
      return false;
    }
  };

  /** A Kea that refused a configuration is deaf until it gets a good one; one that stays deaf is started anew. */
  async function returnTo(last: Good): Promise<void> {
    const answer = await set(last.config).catch(() => null);
    if (answer?.result === 0 && (await hears(last))) return;
    log.error('kea stays deaf with its last good configuration: starting it anew');
    await running?.stop();
    running = null;
    await revive();
  }

  async function applyNow(wanted: Good): Promise<Applied> {
    const started = performance.now();
    const done = (): Applied => {
      good = wanted;
      restarts = 0;
      detail = 'serving';
      return { ok: true, milliseconds: Math.round(performance.now() - started) };
    };
    if (stopped) return { ok: false, error: 'the rack is stopping' };
    if (running === null) {
      const last = good;
      try {
        await start(wanted);
        if (await hears(wanted)) return done();
        throw new Error('Kea started but does not hear a DISCOVER');
      } catch (error) {
        detail = messageOf(error);
        await stopRunning();
        good = last;
        await revive();
        return { ok: false, error: messageOf(error) };
      }
    }
    const tested = await keaCommand(paths.controlSocket, 'config-test', wanted.config, COMMAND_DEADLINE_MS);
    if (tested.result !== 0) return { ok: false, error: tested.text ?? 'refused by config-test' };
    const answer = await set(wanted.config);
    if (answer.result === 0 && (await hears(wanted))) {
      await write(wanted.config);
      return done();
    }
    if (good !== null) await returnTo(good);
    return {
      ok: false,
      error: answer.result === 0 ? 'accepted, but no DISCOVER was heard' : (answer.text ?? 'refused'),
    };
  }
  async function stopRunning(): Promise<void> {
    await running?.stop();
    running = null;
  }

  let newest = 0;
  return {
    paths,
    apply: (config, addresses) => {
      newest += 1;
      const mine = newest;
      return inTurn(async () => {
        if (mine !== newest) return { ok: false, error: 'overtaken by a newer configuration' };
        return await applyNow({ config, addresses }).catch((error: unknown) => ({
          ok: false,
          error: messageOf(error),
        }));
      });
    },
    health: () => ({ ok: running !== null || good === null, detail }),
    stop: async () => {
      stopped = true;
      clearTimeout(restartTimer);
      await running?.stop();
      running = null;
    },
  };
}

/** Path of a library that Kea loads; null where the package is not installed. */
export async function findHook(name: string): Promise<string | null> {
  for (const path of HOOKS.map((dir) => join(dir, name))) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return null;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
