import type { InstallPlan } from '@ingot/contract/agent.ts';
import { TicketBody } from '@ingot/contract/agent.ts';
import { runAgent } from '../sim/agent.ts';
import { type Boot, hang, hangIf, PowerGone, sleep, type Visible } from '../sim/boot.ts';
import { createDice } from '../sim/dice.ts';
import { type FirstBoot, runInstalled } from '../sim/installed-system.ts';
import { type AddressPlan, IPMI_PORT, type VlanPlan } from './address-plan.ts';
import { parseBootScript } from './boot-script.ts';
import { type Fault, inside } from './faults.ts';
import type { FleetHardware } from './hardware.ts';
import { fleetInventory, fleetScriptOutput } from './inventory.ts';
import { openRackConnection } from './rack-connection.ts';
import { duration, type Timing } from './timing.ts';

/** A server of the fleet: firmware, agent and installed system, over the network of this host. */
export interface FleetMachine {
  index: number;
  hardware: FleetHardware;
  vlan: VlanPlan;
  /** Counts from now on; may be changed while it runs. */
  fault: Fault | null;
  timing: Timing;
  /** The region's name for it, once it has heard it. */
  systemId(): string | null;
  isOn(): boolean;
  /** By the button on its front or by its BMC. */
  power(action: PowerAction): void;
  /** The device of the next boot, as its BMC was told; null = its usual order, network first. */
  bootNext(device: 'network' | 'disk' | null): void;
  powerOns(): number;
  disk(): InstallPlan | null;
  firstBoot(): FirstBoot | null;
  /** What the region said when it refused this boot's agent; null = it did not. */
  refusal(): string | null;
  /** kill -9 of its agent, which is started again; false when none runs. */
  killAgent(): boolean;
  /** Pulls the plug and waits for everything in it to end. Throws what went wrong inside, if anything did. */
  stop(): Promise<void>;
}

export type PowerAction = 'on' | 'off' | 'soft-off' | 'reset';

/** What the machines of a fleet share. */
export interface Site {
  seed: number;
  plan: AddressPlan;
  httpPort: number;
  /** Asks the foreign DHCP server; resolves when it has given the address. */
  lease(mac: string, address: string, vlan: VlanPlan): Promise<void>;
}

/** How often firmware asks again at zero delay. */
const ASK_AGAIN_MS = 200;
/**
 * No machine is switched on, does its work and is off again before a busy rack has asked its BMC once: it would be taken for one that
 * never came on, and be switched on again.
 */
const LEAST_ON_MS = 3000;
/** Images above this are read so far and taken as read: thousands of machines share this host's memory bus. */
const READ_LIMIT = 64 * 1024;

export function createFleetMachine(site: Site, hardware: FleetHardware, fault: Fault | null): FleetMachine {
  const { index } = hardware;
  const dice = createDice(Math.imul(site.seed, 31) ^ index);
  const vlan = site.plan.vlanOf(index);
  const address = site.plan.leaseOf(index);
  const rackUrl = `http://${vlan.rack}:${site.httpPort}`;
  let power: AbortController | null = null;
  let running: Promise<void> = Promise.resolve();
  let ons = 0;
  let nextBoot: 'network' | 'disk' | null = null;
  let written: InstallPlan | null = null;
  let read: FirstBoot | null = null;
  let trouble: unknown = null;
  let systemId: string | null = null;
  let refusal: string | null = null;
  let agent: AbortController | null = null;
  let hasSystem = false;

  function on(): void {
    if (power !== null) return;
    const mine = new AbortController();
    power = mine;
    ons += 1;
    const before = running;
    running = before.then(() => run(mine));
  }

  function off(): void {
    power?.abort();
    power = null;
    hasSystem = false;
  }

  async function run(mine: AbortController): Promise<void> {
    const since = Date.now();
    try {
      while ((await bootOnce(mine.signal)) === 'reboot');
      await sleep(Math.max(0, since + LEAST_ON_MS - Date.now()), mine.signal);
      // It switched itself off, unless somebody did so in this very moment.
      if (power === mine) off();
    } catch (error) {
      if (!(error instanceof PowerGone) && !mine.signal.aborted) trouble = error;
    }
  }

  const pauseOf = (signal: AbortSignal) => (what: string) =>
    sleep(duration(machine.timing, what, machine.fault?.kind === 'slow-disk', dice), signal);

  async function bootOnce(signal: AbortSignal): Promise<'off' | 'reboot'> {
    const pause = pauseOf(signal);
    refusal = null;
    agent = null;
    hasSystem = false;
    await pause('firmware');
    const device = nextBoot ?? 'network';
    nextBoot = null;
    const connection = openRackConnection(address, rackUrl);
    try {
      const boot = bootOf(connection.forward, pause, signal);
      await hangIf(boot.faults().stopAt === 'dhcp', signal);
      if (device === 'disk' && written !== null) return await bootDisk(boot, written);
      await pause('dhcp');
      await site.lease(hardware.ports[0].mac, address, vlan);
      await pause('boot-program');
      const program = hardware.firmware === 'uefi' ? '/snponly.efi' : '/undionly.kpxe';
      await persist(signal, () => connection.read(program, READ_LIMIT, signal));
      for (;;) {
        const answer = await persist(signal, () => connection.text('/boot.ipxe', signal));
        const order = parseBootScript(answer.text);
        switch (order.kind) {
          case 'wait':
            await sleep(machine.timing === 'zero' ? ASK_AGAIN_MS : order.seconds * 1000, signal);
            continue;
          case 'poweroff':
            return 'off';
          case 'local':
            return written === null ? await hang(signal) : await bootDisk(boot, written);
          case 'ephemeral':
            return await ephemeral(boot, connection, order);
        }
      }
    } finally {
      connection.close();
    }
  }

  /** Again and again for as long as the power lasts: a rack that is away is waited for. */
  async function persist<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch {
        if (signal.aborted) throw new PowerGone();
      }
      await sleep(ASK_AGAIN_MS, signal);
    }
  }

  function bootOf(forward: Boot['forward'], pause: (what: string) => Promise<void>, signal: AbortSignal): Boot {
    return {
      forward,
      visible,
      faults: () => inside(machine.fault),
      pause: (what = 'other') => pause(what),
      onRefused: ({ message }) => {
        refusal = message;
      },
      startAgent: () => {
        agent = new AbortController();
        return AbortSignal.any([signal, agent.signal]);
      },
      signal,
    };
  }

  async function ephemeral(
    boot: Boot,
    connection: ReturnType<typeof openRackConnection>,
    order: Extract<ReturnType<typeof parseBootScript>, { kind: 'ephemeral' }>,
  ): Promise<'off' | 'reboot'> {
    const parameter = (name: string): string => {
      const value = order.parameters.get(name);
      if (value === undefined) throw new Error(`the kernel command line has no ${name}`);
      return value;
    };
    const { signal } = boot;
    await persist(signal, () => connection.read(order.kernel, READ_LIMIT, signal));
    await persist(signal, () => connection.read(order.initrd, READ_LIMIT, signal));
    await boot.pause('kernel');
    const root = `${parameter('ingot.rack')}/blobs/sha256/${parameter('ingot.root')}`;
    await persist(signal, () => connection.read(root, READ_LIMIT, signal));
    await boot.pause('agent');
    connection.trust(parameter('ingot.agent'), parameter('ingot.pin'));
    const ticket = parameter('ingot.ticket');
    const { next, disk, kexec, machine: enlisted } = await runAgent(boot, ticket);
    agent = null;
    systemId = enlisted ?? machineOfTicket(ticket) ?? systemId;
    if (disk !== null) written = disk === 'erased' ? null : disk;
    if (next === 'poweroff') return 'off';
    return kexec && written !== null ? bootDisk(boot, written) : 'reboot';
  }

  async function bootDisk(boot: Boot, plan: InstallPlan): Promise<never> {
    await boot.pause('agent');
    hasSystem = true;
    return runInstalled(boot, plan, (seen) => {
      read = seen;
    });
  }

  const visible: Visible = {
    firmware: hardware.firmware,
    serial: hardware.serial,
    uuid: hardware.uuid,
    macs: [hardware.ports[0].mac, ...hardware.ports.slice(1).map(({ mac }) => mac)],
    diskBytes: hardware.disks.reduce((sum, { bytes }) => sum + bytes, 0),
    inventory: () => fleetInventory(hardware, address, Number(vlan.cidr.split('/')[1])),
    scriptOutput: (name) => fleetScriptOutput(hardware, name),
    bmc:
      hardware.bmc.kind === 'redfish'
        ? null
        : {
            powerType: 'ipmi',
            parameters: {
              power_address: `${site.plan.bmcAddress(index)}:${IPMI_PORT}`,
              power_user: hardware.bmc.user,
              power_pass: hardware.bmc.password,
              power_driver: 'LAN_2_0',
              power_boot_type: hardware.firmware === 'uefi' ? 'efi' : 'legacy',
            },
          },
  };

  const machine: FleetMachine = {
    index,
    hardware,
    vlan,
    fault,
    timing: 'zero',
    systemId: () => systemId,
    isOn: () => power !== null,
    power(action) {
      switch (action) {
        case 'on':
          on();
          return;
        case 'off':
          off();
          return;
        case 'reset':
          off();
          on();
          return;
        case 'soft-off': {
          // Only an operating system listens to the button.
          const asked = power;
          if (asked === null || !hasSystem) return;
          const late = duration(machine.timing, 'shutdown', false, dice);
          void sleep(late, asked.signal).then(
            () => (power === asked ? off() : undefined),
            () => undefined,
          );
          return;
        }
      }
    },
    bootNext: (device) => {
      nextBoot = device;
    },
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
      off();
      await running;
      if (trouble !== null) throw trouble;
    },
  };
  return machine;
}

/** The ticket names the machine in the clear; only its signature is anybody's secret. */
function machineOfTicket(ticket: string): string | null {
  const [first = ''] = ticket.split('.');
  return TicketBody.parse(JSON.parse(Buffer.from(first, 'base64url').toString())).machine;
}
