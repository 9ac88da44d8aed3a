import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { EMULATOR_COMMANDS, lanConfiguration, lanScript } from './machine/bmc.ts';
import { chassisScript, QMP_TALK } from './machine/chassis.ts';
import { type MachineFiles, ovmfOf, qemuArguments } from './machine/qemu.ts';
import { equip, MachineSpec, type MachineWish } from './machine/spec.ts';
import { addressPlan, randomPrefix } from './network/address-plan.ts';
import {
  createNamespaces,
  createRackNamespace,
  inNamespace,
  killNamespace,
  RACK_INTERFACE,
  routerCommand,
  tapName,
} from './network/namespaces.ts';
import { command, startDaemon, tryCommand } from './run/command.ts';
import { checkoutId, type Ledger, openLedger } from './run/ledger.ts';
import { waitFor } from './run/wait.ts';

/** What DIR/lab.json says: enough to operate a lab that another process started. */
export const LabDescription = z.object({
  checkout: z.string(),
  run: z.string(),
  namespaces: z.object({ fabric: z.string(), rack: z.string() }),
  prefix: z.object({ second: z.number(), third: z.number() }),
  machines: z.array(MachineSpec),
});
export type LabDescription = z.infer<typeof LabDescription>;

export interface PowerCall {
  atMs: number;
  /** As ipmi_sim wrote it: "set power 1", "get power", "set boot pxe" … */
  call: string;
}

export interface Lab {
  stateDir: string;
  machines: MachineSpec[];
  /** Network of the machines, their BMCs and the rack. */
  cidr: string;
  dynamic: { start: string; end: string };
  rackAddress: string;
  rackInterface: string;
  bmcAddress(name: string): string;
  /** A person at the server pushes its button: on, or holds it until it is off. The BMC is not asked. */
  pressPower(name: string, want?: 'on' | 'off'): Promise<void>;
  isOn(name: string): Promise<boolean>;
  /** The argv that runs a program where the rack stands. */
  rackCommand(argv: string[]): string[];
  /** A place for a second rack on the same network, with nothing in it yet. Once a lab. */
  addRackPlace(): Promise<RackPlace>;
  /** The host of the first rack loses its power: all its processes are killed, and stay away. */
  killRackHost(): Promise<void>;
  /** Writes an OpenSSH configuration that reaches the lab's network from outside it. */
  sshConfig(file: string, identityFile: string, user: string, hosts: Record<string, string>): Promise<void>;
  diskImage(name: string): string;
  serialLog(name: string): string;
  bmcLog(name: string): string;
  powerCalls(name: string): Promise<PowerCall[]>;
  /** Ends everything this lab started and removes its namespaces. Files in the state folder stay. */
  stop(): Promise<void>;
}

/** Where a rack stands. */
export interface RackPlace {
  address: string;
  interface: string;
  command(argv: string[]): string[];
}

export interface LabOptions {
  checkout: string;
  /** Empty or new; holds disks, logs and NVRAM. */
  stateDir: string;
  machines: MachineWish[];
  /** Records what is made; one of its own when not given. `stop` clears it. */
  ledger?: Ledger;
}

function machineFolder(stateDir: string, name: string): string {
  return path.join(stateDir, 'machines', name);
}

function machineFiles(stateDir: string, name: string): MachineFiles {
  const at = (file: string) => path.join(machineFolder(stateDir, name), file);
  return {
    disk: at('disk.raw'),
    serialLog: at('serial.log'),
    qmpSocket: at('qmp.sock'),
    pidFile: at('qemu.pid'),
    firmwareVariables: at('nvram.fd'),
  };
}

/** Builds the data centre: switches, machines (off, disks empty) and their BMCs (on). */
export async function startLab(options: LabOptions): Promise<Lab> {
  const stateDir = path.resolve(options.stateDir);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const ledger = options.ledger ?? (await openLedger(options.checkout, { owned: true }));
  const stem = `ingot-${checkoutId(options.checkout)}-${ledger.run}`;
  const description: LabDescription = {
    checkout: options.checkout,
    run: ledger.run,
    namespaces: { fabric: `${stem}-fabric`, rack: `${stem}-rack` },
    prefix: randomPrefix(),
    machines: options.machines.map(equip),
  };
  const { fabric, rack } = description.namespaces;
  await writeFile(path.join(stateDir, 'lab.json'), JSON.stringify(description, null, 1), { mode: 0o600 });
  await ledger.addNamespace(fabric);
  await ledger.addNamespace(rack);
  try {
    const plan = addressPlan(description.prefix);
    await createNamespaces(description.namespaces, plan, description.machines.length);
    await startDaemon(routerCommand(fabric), path.join(stateDir, 'router.log'));
    for (const [index, machine] of description.machines.entries()) {
      await install(stateDir, fabric, machine, index, description);
    }
    const lab = operate(stateDir, description, ledger);
    await Promise.all(
      description.machines.map((machine) =>
        waitFor(`the BMC of ${machine.name}`, 10_000, async () => {
          const log = await tryCommand(inNamespace(fabric, ['ss', '-Hlun', `src ${lab.bmcAddress(machine.name)}:623`]));
          return log.stdout.includes(':623') ? true : undefined;
        }),
      ),
    );
    return lab;
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

/** A lab that was started before, by its state folder. */
export async function openLab(stateDir: string): Promise<Lab> {
  const folder = path.resolve(stateDir);
  const description = LabDescription.parse(JSON.parse(await readFile(path.join(folder, 'lab.json'), 'utf8')));
  const ledger = await openLedger(description.checkout, { owned: false, run: description.run });
  return operate(folder, description, ledger);
}

async function install(
  stateDir: string,
  fabric: string,
  machine: MachineSpec,
  index: number,
  description: LabDescription,
): Promise<void> {
  const folder = machineFolder(stateDir, machine.name);
  const files = machineFiles(stateDir, machine.name);
  const plan = addressPlan(description.prefix);
  await mkdir(path.join(folder, 'bmc-state'), { recursive: true });
  await (await open(files.disk, 'w')).close();
  await truncate(files.disk, machine.diskMiB * 1024 * 1024);
  if (machine.firmware === 'uefi') await copyFile(ovmfOf(machine).variables, files.firmwareVariables);
  const kcsPort = 9100 + index;
  const scripts = { chassis: path.join(folder, 'chassis.sh'), lan: path.join(folder, 'lan.sh') };
  const bmc = {
    name: machine.name,
    address: plan.bmc(index),
    prefixLength: plan.prefixLength,
    gateway: plan.router,
    mac: machine.mac.replace(/^52:54:00/, '52:54:01'),
    guid: machine.uuid.replaceAll('-', ''),
    kcsPort,
    // The factory's password: nobody is told; Ingot has to make its own BMC user from inside the machine.
    adminPassword: randomBytes(8).toString('hex'),
    chassisScript: scripts.chassis,
    lanScript: scripts.lan,
  };
  await writeFile(
    scripts.chassis,
    chassisScript(folder, qemuArguments(machine, files, tapName(index), kcsPort), machine.clockOffSeconds),
  );
  await writeFile(scripts.lan, lanScript(bmc));
  await writeFile(path.join(folder, 'qmp-talk.sh'), QMP_TALK);
  await writeFile(path.join(folder, 'lan.conf'), lanConfiguration(bmc), { mode: 0o600 });
  await writeFile(path.join(folder, 'sim.emu'), EMULATOR_COMMANDS);
  for (const script of [scripts.chassis, scripts.lan]) await chmod(script, 0o755);
  const simulator = [
    'ipmi_sim',

    '-c',
    path.join(folder, 'lan.conf'),
    '-f',
    path.join(folder, 'sim.emu'),
    '-s',
    path.join(folder, 'bmc-state'),
  ];
  // Without -n it reads commands from its input and writes its log to its output, which is what we keep; an input
  // that never ends keeps it alive.
  const line = `tail -f /dev/null | exec ${simulator.map((word) => `'${word}'`).join(' ')}`;
  await startDaemon(inNamespace(fabric, ['sh', '-c', line]), path.join(folder, 'bmc.log'));
}

function operate(stateDir: string, description: LabDescription, ledger: Ledger): Lab {
  const plan = addressPlan(description.prefix);
  const { fabric, rack } = description.namespaces;
  const indexOf = (name: string) => {
    const index = description.machines.findIndex((machine) => machine.name === name);
    if (index < 0) {
      throw new Error(
        `no machine ${name}; there are ${description.machines.map((machine) => machine.name).join(', ')}`,
      );
    }
    return index;
  };
  const chassis = (name: string, ...words: string[]) => {
    indexOf(name);
    return command(inNamespace(fabric, [path.join(machineFolder(stateDir, name), 'chassis.sh'), ...words]), 60_000);
  };
  return {
    stateDir,
    machines: description.machines,
    cidr: plan.cidr,
    dynamic: plan.dynamic,
    rackAddress: plan.rack,
    rackInterface: RACK_INTERFACE,
    bmcAddress: (name) => plan.bmc(indexOf(name)),
    pressPower: async (name, want = 'on') => {
      await chassis(name, 'set', 'power', want === 'on' ? '1' : '0');
    },
    isOn: async (name) => (await chassis(name, 'get', 'power')).includes('power:1'),
    rackCommand: (argv) => inNamespace(rack, argv),
    addRackPlace: async () => {
      const second = `${rack}2`;
      await ledger.addNamespace(second);
      await createRackNamespace(fabric, second, `${plan.secondRack}/${plan.prefixLength}`);
      return {
        address: plan.secondRack,
        interface: RACK_INTERFACE,
        command: (argv) => inNamespace(second, argv),
      };
    },
    killRackHost: () => killNamespace(rack),
    sshConfig: async (file, identityFile, user, hosts) => {
      const text = Object.entries(hosts).map(
        ([name, address]) => `Host ${name}
  HostName ${address}
  User ${user}
  IdentityFile ${identityFile}
  IdentitiesOnly yes
  StrictHostKeyChecking accept-new
  UserKnownHostsFile ${file}.known-hosts
  ConnectTimeout 20
  ProxyCommand ip netns exec ${rack} socat - TCP4:%h:%p
`,
      );
      await writeFile(file, text.join('\n'), { mode: 0o600 });
    },
    diskImage: (name) => machineFiles(stateDir, name).disk,
    serialLog: (name) => machineFiles(stateDir, name).serialLog,
    bmcLog: (name) => path.join(machineFolder(stateDir, name), 'bmc.log'),
    powerCalls: async (name) => {
      const log = await readFile(path.join(machineFolder(stateDir, name), 'chassis.log'), 'utf8').catch(() => '');
      return log
        .split('\n')
        .filter(Boolean)
        .map((entry) => {
          const blank = entry.indexOf(' ');
          return { atMs: Number(entry.slice(0, blank)), call: entry.slice(blank + 1) };
        });
    },
    stop: () => ledger.clear(),
  };
}
