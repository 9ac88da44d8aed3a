import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '../run/command.ts';
import { waitFor } from '../run/wait.ts';
import type { NativeClient } from '../story/native-client.ts';
import type { AddressPlan } from './address-plan.ts';
import { startBound } from './own-ingot.ts';

export interface FleetRack {
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface FleetRackOptions {
  checkout: string;
  stateDir: string;
  plan: AddressPlan;
  leaseFile: string;
  /** A region on this host by its state directory; null = one that lets racks of other hosts in, by a token. */
  regionState: string | null;
}

const ENROLL_MS = 30_000;
const LINK_MS = 30_000;
const STOP_MS = 5000;

/** A rack for a region that runs already: of the same host, or enrolled as one of another host is. */
export async function startFleetRack(api: NativeClient, options: FleetRackOptions): Promise<FleetRack> {
  const { checkout, stateDir, plan, leaseFile, regionState } = options;
  const program = [process.execPath, path.join(checkout, 'dist/rack.mjs')];
  await mkdir(path.join(stateDir, 'log'), { recursive: true });
  const known = new Set((await api.racks()).filter(({ connected }) => connected).map(({ name }) => name));
  const name = `simulated-${path.basename(stateDir).slice(-6)}`;
  if (regionState === null) {
    const { token, url } = await api.rackToken();
    const enrolled = await tryCommand(
      [...program, 'enroll', url, token, '--state', stateDir, '--name', name],
      ENROLL_MS,
    );
    if (enrolled.code !== 0) throw new Error(`the rack could not enrol: ${enrolled.stderr.trim()}`);
  }
  const region = regionState === null ? [] : ['--region', `unix:${path.join(regionState, 'run/rack.sock')}`];
  const blobs = regionState === null ? [] : ['--blobs', path.join(regionState, 'blobs')];
  const addresses = plan.rackAddresses.flatMap((address) => ['--address', address]);
  const child = await startBound(
    [
      ...program,
      '--state',
      stateDir,
      '--name',
      name,
      ...region,
      ...blobs,
      ...addresses,
      '--leases',
      leaseFile,
      '--no-tftp',
    ],
    path.join(stateDir, 'log/rack.log'),
  );
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`the rack ended (${signal ?? `exit ${code}`})`));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  };
  try {
    await waitFor(
      `the simulation's rack (${stateDir}/log/rack.log says more)`,
      LINK_MS,
      async () => ((await api.racks()).some((rack) => rack.connected && !known.has(rack.name)) ? true : undefined),
      100,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { ended, stop };
}
