import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MachineView } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { createSimulatedMachine, type SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { SIMULATED_NETWORK, type SimulatedRack, startSimulatedRack } from '@ingot/lab/sim/rack.ts';
import { freePort } from '@ingot/lab/sim/site.ts';
import { type NativeClient, nativeClient } from '@ingot/lab/story/native-client.ts';
import { startPrivateCluster } from '@ingot/region/postgres/cluster.ts';
import { silentLog } from '@ingot/region/testing/cluster.ts';
import { type RegionProgram, regionProgram, runRegion } from './region-program.ts';
import { sharedList } from './shared-list.ts';
import { openSwitchboard, type Switchboard } from './switchboard.ts';

export const IMAGE = 'debian/bookworm';

/** One or two region processes on one database, one rack and its machines; what they speak over can be cut. */
export interface FaultSite {
  regions: RegionProgram[];
  /** The rack's way to the regions. */
  cable: Switchboard;
  /** Any region that answers. Calls fail while none does. */
  api: NativeClient;
  rack: SimulatedRack;
  machines: SimulatedMachine[];
  /** kill -9 of PostgreSQL; whoever started it has to start it again. */
  killPostgres(): Promise<void>;
  /** Undefined before it has enlisted, and while nobody answers. */
  find(machine: SimulatedMachine): Promise<MachineView | undefined>;
  stop(): Promise<void>;
}

export interface FaultSiteOptions {
  /** With two of them PostgreSQL is a server of its own. */
  regions: 1 | 2;
  machines: number;
  seed: number;
  /** Milliseconds of each step of a machine, least and most. */
  pace: [number, number];
}

export async function startFaultSite(options: FaultSiteOptions): Promise<FaultSite> {
  // Short: sockets lie in it.
  const dir = await mkdtemp('/tmp/ingot-f-');
  // PostgreSQL runs as a user of its own, who must pass through.
  await chmod(dir, 0o711);
  const ends: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  const stop = async () => {
    const failed: unknown[] = [];
    for (const end of ends.splice(0).reverse()) await end().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  };
  try {
    const databaseUrl = options.regions === 1 ? null : await ownServer(path.join(dir, 'db'), ends);
    const regions = await makeRegions(dir, options.regions, databaseUrl);
    ends.push(() => Promise.all(regions.map((region) => region.stop())));
    // One that was killed left its PostgreSQL behind, and takes it with it when it ends in order.
    if (databaseUrl === null) ends.push(async () => regions[0]?.start());
    await Promise.all(regions.map((region) => region.start()));
    const sockets = (name: string) => regions.map(({ stateDir }) => path.join(stateDir, 'run', name));
    const cable = await openSwitchboard(path.join(dir, 'rack.sock'), sockets('rack.sock'));
    ends.push(() => cable.close());
    const desk = await openSwitchboard(path.join(dir, 'api.sock'), sockets('api.sock'));
    ends.push(() => desk.close());
    const api = nativeClient(desk.path);
    await registerImages(api, path.join(dir, 'images'));
    const rack = startSimulatedRack({ socketPath: cable.path, name: 'simulated' });
    ends.push(async () => rack.stop());
    await waitFor('the rack’s link', 10_000, async () => (rack.connected() ? true : undefined), 20);
    await api.serve(SIMULATED_NETWORK.cidr, SIMULATED_NETWORK.range.start, SIMULATED_NETWORK.range.end);
    const { seed, pace } = options;
    const machines = Array.from({ length: options.machines }, (_, at) =>
      createSimulatedMachine(rack, { index: at + 1, seed, pace }),
    );
    ends.push(() => Promise.all(machines.map((machine) => machine.stop())));
    const all = sharedList(api);
    const dataDir = path.join(databaseUrl === null ? path.join(dir, 'r1') : path.join(dir, 'db'), 'postgres/15');
    return {
      regions,
      cable,
      api,
      rack,
      machines,
      killPostgres: () => killServer(dataDir),
      async find({ hardware }) {
        const entry = rack.entryOf(hardware.macs[0]);
        return entry ? (await all().catch(() => undefined))?.get(entry.systemId) : undefined;
      },
      stop,
    };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

/** A durable server as an operator would run it. Returns its URL. */
async function ownServer(stateDir: string, ends: (() => Promise<unknown>)[]): Promise<string> {
  const server = await startPrivateCluster({ stateDir, log: silentLog });
  ends.push(() => server.stop());
  return `postgres://${server.user}@/${server.database}?host=${encodeURIComponent(server.socketDir)}`;
}

async function makeRegions(dir: string, count: number, databaseUrl: string | null): Promise<RegionProgram[]> {
  const [first = '', ...others] = Array.from({ length: count }, (_, at) => path.join(dir, `r${at + 1}`));
  const at = { stateDir: first, databaseUrl };
  await mkdir(first);
  await runRegion(['migrate'], at);
  await runRegion(
    ['createadmin', '--username', 'admin', '--password', '-'],
    at,
    `${randomBytes(12).toString('hex')}\n`,
  );
  for (const other of others) {
    // Processes of one site seal their secrets with one key.
    await mkdir(other);
    await copyFile(path.join(first, 'key'), path.join(other, 'key'));
  }
  const ports = await Promise.all([first, ...others].map(() => freePort()));
  return [first, ...others].map((stateDir, at) => regionProgram({ stateDir, port: ports[at] ?? 0, databaseUrl }));
}

async function killServer(dataDir: string): Promise<void> {
  const text = await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Killed a moment ago, and not started again yet.
  }
}

async function registerImages(api: NativeClient, folder: string): Promise<void> {
  await mkdir(folder);
  const file = async (filetype: string) => {
    await writeFile(path.join(folder, filetype), randomBytes(20_000));
    return { filetype, path: path.join(folder, filetype) };
  };
  const image = { os: 'debian', release: 'bookworm', arch: 'amd64', version: '20260101', title: 'Debian 12' };
  const boot = await Promise.all(['boot-kernel', 'boot-initrd', 'squashfs'].map(file));
  await api.registerImage({ ...image, purpose: 'ephemeral', files: boot });
  await api.registerImage({ ...image, purpose: 'deploy', files: [await file('root-tar.zst')] });
}
