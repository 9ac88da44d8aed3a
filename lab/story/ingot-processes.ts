import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Lab, RackPlace } from '../data-centre.ts';
import { command, startDaemon, tryCommand } from '../run/command.ts';
import type { Ledger } from '../run/ledger.ts';
import { waitFor } from '../run/wait.ts';
import { type NativeClient, nativeClient } from './native-client.ts';

export interface IngotOptions {
  checkout: string;
  /** Short: a unix socket's path below it has at most 107 bytes. */
  stateDir: string;
  port: number;
  lab: Lab;
  ledger: Ledger;
  /** The first administrator's; made before the first start. */
  admin: { username: string; password: string };
}

export interface Ingot {
  stateDir: string;
  url: string;
  admin: { username: string; password: string };
  api: NativeClient;
  /** `ingot ARGUMENTS…` against this region, as the first administrator. */
  cli(argv: string[]): string[];
  regionPid(): Promise<number>;
  /** Switches the whole control plane off; the rack goes on alone. */
  stopRegion(): Promise<void>;
  startRegion(): Promise<void>;
  /** Another rack, with a state of its own; returns when it is linked. */
  startRack(name: string, place: RackPlace): Promise<void>;
}

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 20_000;

/**
 * Starts Ingot as `ingot up` does on one host, except that the rack stands in the lab: the region outside, PostgreSQL
 * its child, the rack in the lab's namespace, a unix socket between them.
 */
export async function startIngot(options: IngotOptions): Promise<Ingot> {
  const { checkout, stateDir, port, lab, ledger, admin } = options;
  const log = path.join(stateDir, 'log');
  await mkdir(log, { recursive: true });
  const program = (name: string) => path.join(checkout, 'dist', `${name}.mjs`);
  const create = [
    program('region'),
    'createadmin',
    '--state',
    stateDir,
    '--username',
    admin.username,
    '--password',
    '-',
  ];
  const created = await tryCommand([process.execPath, ...create], START_LIMIT_MS, `${admin.password}\n`);
  if (created.code !== 0) throw new Error(`createadmin: exit ${created.code}: ${created.stderr.trim().slice(-1000)}`);
  const api = nativeClient(path.join(stateDir, 'run/api.sock'));
  let up = 0;
  const startRegion = async () => {
    up = await startDaemon(
      [process.execPath, program('ingot'), '--state', stateDir, 'up', '--listen', `127.0.0.1:${port}`, '--no-rack'],
      path.join(log, 'up.log'),
    );
    await ledger.addProcess(up);
    await waitFor(`the region's local socket (${log}/up.log says more)`, START_LIMIT_MS, () =>
      answered(api.machines()),
    );
  };
  const stopRegion = async () => {
    process.kill(up, 'SIGTERM');
    await waitFor('the region to stop', STOP_LIMIT_MS, async () => (isRunning(up) ? undefined : true));
  };
  const rackLinked = () =>
    waitFor(`the rack's link (${log}/rack.log says more)`, START_LIMIT_MS, async () => {
      const racks = await api.racks();
      return racks.some((rack) => rack.connected) ? true : undefined;
    });
  await startRegion();
  // The lab's machines have a serial port and no screen: an administrator of such a site sets this.
  await api.setSettings({ kernel_opts: 'console=ttyS0,115200 loglevel=4' });
  const startRack = async (name: string, place: RackPlace) => {
    await startDaemon(
      place.command([
        process.execPath,
        program('rack'),
        '--state',
        path.join(stateDir, name),
        '--name',
        name,
        '--region',
        `unix:${path.join(stateDir, 'run/rack.sock')}`,
        '--address',
        place.address,
        '--interface',
        place.interface,
      ]),
      path.join(log, `${name}.log`),
    );
    await waitFor(`the link of ${name} (${log}/${name}.log says more)`, START_LIMIT_MS, async () => {
      const racks = await api.racks();
      return racks.some((rack) => rack.name === name && rack.connected) ? true : undefined;
    });
  };
  await startRack('rack', { address: lab.rackAddress, interface: lab.rackInterface, command: lab.rackCommand });
  return {
    stateDir,
    url: `http://127.0.0.1:${port}/`,
    admin,
    api,
    cli: (argv) => [process.execPath, program('ingot'), '--state', stateDir, ...argv],
    regionPid: () => childRunning(up, 'region.mjs'),
    stopRegion,
    startRack,
    startRegion: async () => {
      await startRegion();
      // Until the rack is back, work that needs it is refused: that is right, and not what the story is about.
      await rackLinked();
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function answered<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question;
  } catch {
    // Not listening yet; the deadline of the wait bounds it.
    return undefined;
  }
}

/** The supervisor's child that runs a program, newest first; it has a new pid after each restart. */
async function childRunning(parent: number, program: string): Promise<number> {
  const children = await command(['ps', '-o', 'pid=', '--ppid', String(parent)]);
  for (const pid of children.split('\n').map(Number).filter(Boolean).reverse()) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(program)) return pid;
  }
  throw new Error(`process ${parent} has no child that runs ${program}`);
}
