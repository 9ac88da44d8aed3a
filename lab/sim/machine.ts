import type { InstallPlan } from '@ingot/contract/agent.ts';
import { runAgent } from './agent.ts';
import type { SimulatedBmc } from './bmc.ts';
import { type Boot, hang, hangIf, PowerGone, sleep, type Visible } from './boot.ts';
import { createDice } from './dice.ts';
import type { Faults } from './faults.ts';
import { inventoryOf, rollHardware, type SimulatedHardware } from './hardware.ts';
import { type FirstBoot, runInstalled } from './installed-system.ts';
import { SIMULATED_NETWORK, type SimulatedRack } from './rack.ts';

export interface SimulatedMachineOptions {
  /** Tells the machines of a site apart: 1 … 80. */
  index: number;
  seed: number;
  firmware?: 'bios' | 'uefi';
  faults?: Faults;
  /** Least and most milliseconds of each step; 0 to 20 unless told. */
  pace?: [number, number];
}

export interface SimulatedMachine {
  index: number;
  hardware: SimulatedHardware;
  /** May be changed while it runs. */
  faults: Faults;
  pace: [number, number];
  isOn(): boolean;
  /** The button on its front. */
  press(power: 'on' | 'off'): Promise<void>;
  /** Times its power went on, by button or BMC. */
  powerOns(): number;
  /** What is written on its disk. */
  disk(): InstallPlan | null;
  /** What its installed system read when it started last. */
  firstBoot(): FirstBoot | null;
  /** What the region said when it refused this boot's agent; null = it did not. */
  refusal(): string | null;
  /** kill -9 of its agent, which is started again; false when none runs. */
  killAgent(): boolean;
  /** Pulls the plug and waits for everything in it to end. Throws what went wrong inside, if anything did. */
  stop(): Promise<void>;
}

/** How often firmware asks again for an address or a script that is not to be had yet. */
const ASK_AGAIN_MS = 100;

/** A server that exists only here, plugged into the rack: off, its disk empty, ready to be switched on. */
export function createSimulatedMachine(rack: SimulatedRack, options: SimulatedMachineOptions): SimulatedMachine {
  const hardware = rollHardware(options.seed, options.index, options.firmware);
  const dice = createDice(options.seed + options.index);
  const [mac] = hardware.macs;
  const bmc: SimulatedBmc = {
    address: SIMULATED_NETWORK.bmcAddress(options.index),
    user: 'maas',
    password: dice.hex(16),
    faults: () => machine.faults,
    isOn: () => power !== null,
    set,
  };
  let power: AbortController | null = null;
  let running: Promise<void> = Promise.resolve();
  let ons = 0;
  let written: InstallPlan | null = null;
  let read: FirstBoot | null = null;
  let trouble: unknown = null;
  let refusal: string | null = null;
  let agent: AbortController | null = null;

  async function set(wanted: 'on' | 'off'): Promise<void> {
    if (wanted === 'on' && power === null) {
      power = new AbortController();
      ons += 1;
      running = run(power.signal);
    }
    if (wanted === 'off' && power !== null) {
      const ending = power;
      power = null;
      ending.abort();
      await running;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    try {
      while ((await bootOnce(signal)) === 'reboot');
      // It switched itself off, unless somebody did so in this very moment.
      if (!signal.aborted) power = null;
    } catch (error) {
      if (!(error instanceof PowerGone)) trouble = error;
    }
  }

  const pauseFor = (signal: AbortSignal) => () => sleep(dice.between(...machine.pace), signal);
  const stopsAt = (point: string, signal: AbortSignal) => hangIf(machine.faults.stopAt === point, signal);

  async function bootOnce(signal: AbortSignal): Promise<'off' | 'reboot'> {
    const pause = pauseFor(signal);
    refusal = null;
    agent = null;
    await pause();
    await stopsAt('dhcp', signal);
    const address = await lease(signal);
    const client = { address, mac };
    rack.note({ kind: 'dhcp.lease', ...client, text: `DHCP gave ${address} to ${mac}` });
    await pause();
    await stopsAt('boot-program', signal);
    const program = hardware.firmware === 'uefi' ? 'ipxe.efi' : 'undionly.kpxe';
    rack.note({ kind: 'tftp.read', ...client, text: `TFTP ${program} complete`, data: { name: program } });
    await pause();
    const boot: Boot = {
      forward: (request) => rack.forward(request, client),
      visible: visibleAt(address),
      faults: () => machine.faults,
      pause,
      onRefused: ({ message }) => {
        refusal = message;
      },
      startAgent: () => {
        agent = new AbortController();
        return AbortSignal.any([signal, agent.signal]);
      },
      signal,
    };
    for (;;) {
      const answer = rack.boot(mac);
      switch (answer.kind) {
        case 'wait':
          await sleep(ASK_AGAIN_MS, signal);
          continue;
        case 'poweroff':
          rack.note({ kind: 'boot.script', ...client, text: 'power off', data: { decision: 'poweroff' } });
          return 'off';
        case 'local':
          rack.note({ kind: 'boot.script', ...client, text: 'boot from the local disk', data: { decision: 'local' } });
          return written === null ? hang(signal) : bootDisk(boot, written);
        case 'ephemeral': {
          const text = answer.entry ? `ephemeral system for ${answer.entry.hostname}` : 'ephemeral system to enlist';
          rack.note({ kind: 'boot.script', ...client, text, data: { decision: 'ephemeral' } });
          return ephemeral(boot, client, answer.ticket, answer.image);
        }
      }
    }
  }

  const visibleAt = (address: string): Visible => ({
    firmware: hardware.firmware,
    serial: hardware.serial,
    uuid: hardware.uuid,
    macs: hardware.macs,
    diskBytes: hardware.disk.bytes,
    inventory: () => inventoryOf(hardware, address),
    scriptOutput: () => null,
    bmc: {
      powerType: 'ipmi',
      parameters: {
        power_address: bmc.address,
        power_user: bmc.user,
        power_pass: bmc.password,
        power_driver: 'LAN_2_0',
        power_boot_type: hardware.firmware === 'uefi' ? 'efi' : 'legacy',
      },
    },
  });

  async function lease(signal: AbortSignal): Promise<string> {
    for (;;) {
      const given = rack.lease(mac);
      if (given) return given.ip;
      await sleep(ASK_AGAIN_MS, signal);
    }
  }

  async function ephemeral(
    boot: Boot,
    client: { address: string; mac: string },
    ticket: string,
    image: { kernel: Blob; initrd: Blob; squashfs: Blob },
  ): Promise<'off' | 'reboot'> {
    const fetched = (name: string, { sha256, size }: Blob, bytes = size) =>
      rack.note({
        kind: 'http.read',
        ...client,
        text: `HTTP ${name} ${bytes} of ${size} bytes`,
        data: { path: `/blobs/sha256/${sha256}`, bytes },
      });
    fetched('kernel', image.kernel);
    fetched('initrd', image.initrd);
    await boot.pause();
    if (machine.faults.stopAt === 'kernel') {
      fetched('root image', image.squashfs, Math.floor(image.squashfs.size / 2));
      return hang(boot.signal);
    }
    fetched('root image', image.squashfs);
    await boot.pause();
    await stopsAt('agent', boot.signal);
    const { next, disk, kexec } = await runAgent(boot, ticket);
    agent = null;
    if (disk !== null) written = disk === 'erased' ? null : disk;
    if (next === 'poweroff') return 'off';
    await stopsAt('reboot', boot.signal);
    return kexec && written !== null ? bootDisk(boot, written) : 'reboot';
  }

  async function bootDisk(boot: Boot, plan: InstallPlan): Promise<never> {
    await boot.pause();
    return runInstalled(boot, plan, (seen) => {
      read = seen;
    });
  }

  const machine: SimulatedMachine = {
    index: options.index,
    hardware,
    faults: options.faults ?? {},
    pace: options.pace ?? [0, 20],
    isOn: bmc.isOn,
    press: set,
    powerOns: () => ons,
    disk: () => written,
    firstBoot: () => read,
    refusal: () => refusal,
    killAgent: () => {
      const killed = agent;
      agent = null;
      killed?.abort();
      return killed !== null;
    },
    stop: async () => {
      await set('off');
      if (trouble !== null) throw trouble;
    },
  };
  rack.attach(bmc);
  return machine;
}

interface Blob {
  sha256: string;
  size: number;
}
