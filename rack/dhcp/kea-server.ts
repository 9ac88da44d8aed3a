import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DhcpPeer, PoolState } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import type { LeaseRow } from '../leases/lease-file.ts';
import { type Leases, openLeases } from '../leases/leases.ts';
import { findHook, openKea } from './kea.ts';
import { renderKeaConfig } from './kea-config.ts';
import { ALONE, type KeaGroup } from './kea-groups.ts';
import { type KeaPairHook, keaPairHook, pairStanding } from './kea-pair.ts';
import { type PoolCounters, poolStates, readPoolCounters } from './pools.ts';

/** One Kea of this rack with its leases. */
export interface KeaServer {
  /** Null = serves the group as told; else why not, and the last good configuration goes on. */
  apply(group: KeaGroup): Promise<string | null>;
  leases: Leases;
  /** Asks Kea how it stands: how its ranges moved since the last question; empty while it does not run. */
  look(): Promise<PoolState[]>;
  /** It has nothing to serve now. */
  isIdle(): boolean;
  health(): { ok: boolean; detail: string };
  stop(): Promise<void>;
}

export interface KeaServerOptions {
  /** DIR/rack; the server's own directory is `name` in it. */
  dir: string;
  name: string;
  rack: string;
  bootPort: number;
  tls: { cert: string; key: string };
  onLease(row: LeaseRow): void;
  log: Logger;
}

const PAIR_HOOK = 'libdhcp_ha.so';

export async function openKeaServer(options: KeaServerOptions): Promise<KeaServer> {
  const { log, name } = options;
  const dir = join(options.dir, name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (name !== ALONE) await takeLeasesAlong(join(options.dir, ALONE), dir);
  const kea = await openKea({ dir, log });
  const controlSocket = kea.paths.leaseHook === null ? null : kea.paths.controlSocket;
  const leases = await openLeases({ file: kea.paths.leaseFile, controlSocket, onLease: options.onLease });
  /** The configuration that Kea was last asked to take, and what came of it. */
  let last: { text: string; error: string | null } = { text: '', error: null };
  let counters: PoolCounters[] | null = null;
  /** Of a pair: our part in it, and what we last did in it. */
  let role: DhcpPeer['role'] | null = null;
  let standing: string | null = null;
  let idle = true;

  async function pairOf(group: KeaGroup): Promise<KeaPairHook | null> {
    if (group.peers === null) return null;
    const library = await findHook(PAIR_HOOK);
    if (library === null) throw new Error(`${PAIR_HOOK} is not installed: apt-get install kea-common`);
    const trust = join(dir, 'pair.pem');
    await writeFile(trust, group.peers.map(({ certificate }) => certificate.trim()).join('\n'), { mode: 0o600 });
    return keaPairHook(options.rack, group.peers, { library, trust, ...options.tls });
  }

  async function apply(group: KeaGroup): Promise<string | null> {
    const own = [...new Set(group.vlans.map(({ host }) => host.address))];
    idle = own.length === 0;
    const never = last.text === '' && idle;
    if (never) return null;
    const config = renderKeaConfig(group, kea.paths, options.bootPort, await pairOf(group));
    const text = JSON.stringify([config, group.peers]);
    if (text === last.text && last.error === null) return null;
    const applied = await kea.apply(config, own);
    last = { text, error: applied.ok ? null : applied.error };
    role = group.peers?.find(({ rack }) => rack === options.rack)?.role ?? null;
    standing = null;
    if (applied.ok) log.info({ name, addresses: own, ms: applied.milliseconds }, 'dhcp: configuration applied');
    else log.error({ name, error: applied.error }, 'dhcp: configuration refused, the last good one stays');
    return last.error;
  }

  return {
    apply: async (group) => {
      try {
        return await apply(group);
      } catch (error) {
        last = { text: 'not made', error: error instanceof Error ? error.message : String(error) };
        return last.error;
      }
    },
    leases,
    look: async () => {
      standing = role === null ? null : await pairStanding(kea.paths.controlSocket, role);
      const now = await readPoolCounters(kea.paths.controlSocket).catch(() => null);
      if (now === null) return [];
      const states = poolStates(counters, now);
      counters = now;
      return states;
    },
    isIdle: () => idle,
    health: () => {
      if (last.error !== null) return { ok: false, detail: last.error };
      const { ok, detail } = kea.health();
      return { ok, detail: ok ? (standing ?? detail) : detail };
    },
    stop: async () => {
      await Promise.all([kea.stop(), leases.stop()]);
    },
  };
}

/** A network that gets a second rack keeps its leases: the new Kea begins with those of the one that served it alone. */
async function takeLeasesAlong(from: string, to: string): Promise<void> {
  const target = join(to, 'leases4.csv');
  if ((await stat(target).catch(() => null)) !== null) return;
  await copyFile(join(from, 'leases4.csv'), target).catch(() => undefined);
}
