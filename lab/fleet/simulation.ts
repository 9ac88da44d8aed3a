import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { waitFor } from '../run/wait.ts';
import { freePort } from '../sim/site.ts';
import { type NativeClient, nativeClient, type RegionAccess } from '../story/native-client.ts';
import { type AddressPlan, addressPlan } from './address-plan.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { openForeignDhcp } from './foreign-dhcp.ts';
import { startFleetRack } from './foreign-rack.ts';
import { startOwnIngot } from './own-ingot.ts';
import { reserveRanges } from './reserve-ranges.ts';
import { type Watch, watchMachines } from './watch.ts';

/** A fleet and the Ingot that it is tried on. */
export interface Simulation {
  /** The region's, for people and programs. */
  url: string;
  /** Null with a region that was there before. */
  admin: { username: string; password: string } | null;
  /** CONSUMER:TOKEN:SECRET of the administrator who acts here. */
  apiKey: string;
  stateDir: string;
  access: RegionAccess;
  api: NativeClient;
  watch: Watch;
  fleet: Fleet;
  /** Pids of Ingot's own processes; empty with a region that was there before. */
  processes(): Promise<number[]>;
  /** Resolves when a part that has to run has ended by itself. */
  broken: Promise<string>;
  stop(): Promise<void>;
}

export interface SimulationOptions {
  checkout: string;
  machines: number;
  seed: number;
  vlans: number;
  /** Share of machines with a Redfish BMC, 0 … 1. */
  redfish: number;
  /** N of 127.N.0.0/16; null = the first free one from 64 on. */
  network: number | null;
  /** `own`: a new Ingot on this port, null = any. `state`: the region of this host with that directory. */
  region:
    | { kind: 'own'; port: number | null }
    | { kind: 'state'; dir: string; url: string }
    | { kind: 'url'; url: string; apiKey: string };
}

/** Where the rack's boot server listens; thousands of machines of other fleets have addresses of their own. */
const HTTP_PORT = 5248;
const FIRST_NETWORK = 64;
const LAST_NETWORK = 250;
const LEARN_MS = 15_000;

/** Starts what is needed, in order; whatever fails, nothing is left running. */
export async function startSimulation(options: SimulationOptions): Promise<Simulation> {
  const { checkout, seed, machines, region } = options;
  const stateDir = await mkdtemp('/tmp/ingot-sim-');
  const undo: (() => Promise<unknown>)[] = [() => rm(stateDir, { recursive: true, force: true })];
  const stop = async () => {
    let trouble: unknown = null;
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        trouble ??= error;
      });
    }
    if (trouble !== null) throw trouble;
  };
  try {
    const plan = addressPlan(options.network ?? (await freeNetwork()), machines, options.vlans);
    const leaseFile = path.join(stateDir, 'foreign-dhcp-leases.csv');
    const dhcp = await openForeignDhcp(leaseFile);
    undo.push(() => dhcp.close());
    let access: RegionAccess;
    let url: string;
    let admin: Simulation['admin'] = null;
    let broken: Promise<string>;
    let processes: Simulation['processes'] = async () => [];
    if (region.kind === 'own') {
      const ingot = await startOwnIngot({
        checkout,
        stateDir,
        port: region.port ?? (await freePort()),
        plan,
        leaseFile,
      });
      undo.push(ingot.stop);
      ({ url, admin, processes, ended: broken } = ingot);
      access = ingot.socketPath;
    } else {
      const isLocal = region.kind === 'state';
      access = isLocal ? path.join(region.dir, 'run/api.sock') : region;
      url = region.url;
      const regionState = isLocal ? region.dir : null;
      const rack = await startFleetRack(nativeClient(access), { checkout, stateDir, plan, leaseFile, regionState });
      undo.push(rack.stop);
      broken = rack.ended;
    }
    const api = nativeClient(access);
    const apiKey = region.kind === 'url' ? region.apiKey : (await api.apiKey(await ownName(api, admin))).key;
    const subnetIds = await learntSubnets(api, plan);
    await reserveRanges(url, apiKey, plan.vlans);
    const fleet = await startFleet({
      seed,
      machines,
      redfish: options.redfish,
      plan,
      httpPort: HTTP_PORT,
      dhcp,
      subnetIds,
    });
    undo.push(fleet.stop);
    const watch = await watchMachines(access, api);
    undo.push(async () => watch.close());
    return { url, admin, apiKey, stateDir, access, api, watch, fleet, processes, broken, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

/** The networks that the rack reported, by CIDR. */
async function learntSubnets(api: NativeClient, plan: AddressPlan): Promise<Map<string, number>> {
  return waitFor(
    'the region to learn the networks of its new rack',
    LEARN_MS,
    async () => {
      const known = new Map((await api.subnets()).map(({ cidr, id }) => [cidr, id]));
      return plan.vlans.every(({ cidr }) => known.has(cidr)) ? known : undefined;
    },
    100,
  );
}

async function ownName(api: NativeClient, admin: Simulation['admin']): Promise<string> {
  return admin?.username ?? (await api.whoAmI()).username;
}

async function freeNetwork(): Promise<number> {
  for (let second = FIRST_NETWORK; second <= LAST_NETWORK; second += 2) {
    if (await canListen(`127.${second}.0.1`, HTTP_PORT)) return second;
  }
  throw new Error(
    `port ${HTTP_PORT} is taken on every 127.N.0.1: end a simulation, or name a network with --network N`,
  );
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
