import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import type { MachineDetail } from '@ingot/contract/native.ts';
import { waitFor } from '../run/wait.ts';
import type { NativeClient } from '../story/native-client.ts';
import { createSimulatedMachine, type SimulatedMachine } from './machine.ts';
import { SIMULATED_NETWORK, type SimulatedRack, startSimulatedRack } from './rack.ts';
import { createRegionProcess, type RegionProcess } from './region-process.ts';

/** A whole site for fast tests: a real region with its PostgreSQL, and a rack and machines that exist in this process. */
export interface SimulatedSite {
  stateDir: string;
  /** http://127.0.0.1:PORT */
  url: string;
  admin: { username: string; password: string };
  region: RegionProcess;
  api: NativeClient;
  rack: SimulatedRack;
  machines: SimulatedMachine[];
  /** Plugs in one machine more. */
  add(options?: { firmware?: 'bios' | 'uefi'; pace?: [number, number] }): SimulatedMachine;
  /** The machine as the region knows it; undefined before it has enlisted. */
  find(machine: SimulatedMachine): Promise<MachineDetail | undefined>;
  stop(): Promise<void>;
}

export interface SimulatedSiteOptions {
  checkout: string;
  machines: number;
  seed: number;
  /** Milliseconds of each step of a machine, least and most. */
  pace?: [number, number];
}

/** What a site's images are called; their bytes mean nothing, for nothing here runs them. */
export const SIMULATED_IMAGE = 'debian/bookworm';

export async function startSimulatedSite(options: SimulatedSiteOptions): Promise<SimulatedSite> {
  // Not below a test's own long path: sockets lie in it.
  const stateDir = await mkdtemp('/tmp/ingot-sim-');
  const admin = { username: 'admin', password: randomBytes(12).toString('base64url') };
  const region = await createRegionProcess({ checkout: options.checkout, stateDir, port: await freePort(), admin });
  let rack: SimulatedRack | null = null;
  const machines: SimulatedMachine[] = [];
  const stop = async () => {
    const ends = await Promise.allSettled(machines.map((machine) => machine.stop()));
    rack?.stop();
    await region.stop();
    await rm(stateDir, { recursive: true, force: true });
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  };
  try {
    await region.start();
    const { api } = region;
    await registerSimulatedImages(api, path.join(stateDir, 'images'));
    const started = startSimulatedRack({ socketPath: path.join(stateDir, 'run/rack.sock'), name: 'simulated' });
    rack = started;
    const { cidr, range } = SIMULATED_NETWORK;
    await waitFor('the rack’s link', 10_000, async () => (started.connected() ? true : undefined), 20);
    await api.serve(cidr, range.start, range.end);
    const add: SimulatedSite['add'] = (wish = {}) => {
      const pace = wish.pace ?? options.pace;
      const index = machines.length + 1;
      const made = createSimulatedMachine(started, { index, seed: options.seed, ...wish, ...(pace ? { pace } : {}) });
      machines.push(made);
      return made;
    };
    for (let count = 0; count < options.machines; count += 1) add();
    const find: SimulatedSite['find'] = async ({ hardware }) => {
      const entry = started.entryOf(hardware.macs[0]);
      return entry ? api.machine(entry.systemId) : undefined;
    };
    return { stateDir, url: region.url, admin, region, api, rack: started, machines, add, find, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

/** Images of a few kilobytes, below `folder` until the region has taken them. */
export async function registerSimulatedImages(api: NativeClient, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = async (filetype: string, bytes: number) => {
    const file = path.join(folder, filetype);
    await writeFile(file, randomBytes(bytes));
    return { filetype, path: file };
  };
  const version = '20260101';
  await api.registerImage({
    purpose: 'ephemeral',
    os: 'debian',
    release: 'bookworm',
    arch: 'amd64',
    version,
    title: 'Ephemeral system',
    files: [await file('boot-kernel', 4000), await file('boot-initrd', 6000), await file('squashfs', 20_000)],
  });
  await api.registerImage({
    purpose: 'deploy',
    os: 'debian',
    release: 'bookworm',
    arch: 'amd64',
    version,
    title: 'Debian 12',
    files: [await file('root-tar.zst', 60_000)],
  });
}

export async function freePort(): Promise<number> {
  // Below the ports that the kernel hands out: whoever stops and comes back finds nobody's connection on his.
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
