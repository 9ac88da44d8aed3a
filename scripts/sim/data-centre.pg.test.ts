import type { FaultKind } from '@ingot/lab/fleet/faults.ts';
import type { FleetMachine } from '@ingot/lab/fleet/machine.ts';
import { act, carryThrough, prepare } from '@ingot/lab/fleet/operator.ts';
import { type Simulation, startSimulation } from '@ingot/lab/fleet/simulation.ts';
import type { Seen } from '@ingot/lab/fleet/watch.ts';
import { SIMULATED_IMAGE } from '@ingot/lab/sim/site.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, ensureBuilt } from './built.ts';

// A fleet over the real wire: `ingot up` with region, PostgreSQL and rack as processes; IPMI by UDP, Redfish by HTTPS,
// boot and agent by HTTP(S), each machine from an address of its own. INGOT_FLEET=N for another number of machines.

const MACHINES = Number(process.env.INGOT_FLEET ?? 40);
const FAULTY = 10;
/** Of those with Redfish. */
const FAULTY_REDFISH = 3;
/** Eight times five parts of 100 ms, where nothing else takes time. */
const SLOW_MS = 4000;
/** A busy host takes its time; a healthy one needs a tenth. */
const LIFE_MS = 540_000;
let simulation: Simulation;
const failures: string[] = [];

beforeAll(async () => {
  await ensureBuilt('region', 'rack', 'ingot');
  simulation = await startSimulation({
    checkout,
    machines: MACHINES,
    seed: 2026,
    vlans: 2,
    redfish: 0.25,
    network: null,
    region: { kind: 'own', port: null },
  });
});
afterAll(async () => {
  await simulation?.stop();
});

const all = <T>(work: (machine: FleetMachine) => Promise<T>): Promise<T[]> =>
  Promise.all(simulation.fleet.machines.map(work));

/** Machines whose power went on another number of times, told so that the rack's log can be read for them. */
const switchedOtherThan = (times: number): string[] =>
  simulation.fleet.machines
    .filter((machine) => machine.powerOns() !== times)
    .map((machine) => `${machine.systemId()} (${machine.hardware.bmc.kind}): ${machine.powerOns()} times`);

const detailOf = (machine: FleetMachine) => simulation.api.machine(machine.systemId() ?? '');

describe(`${MACHINES} machines in two VLANs`, () => {
  test(
    'enlist, are commissioned and deployed; none is lost, each is switched on three times',
    async () => {
      const goals = simulation.fleet.machines.map((machine) => ({ machine, goal: 'deployed' as const }));
      await prepare(simulation, goals, 20, ({ machine, failure }) => {
        if (failure !== null) failures.push(`${machine.index}: ${failure}`);
      });
      expect(failures).toEqual([]);
      expect(switchedOtherThan(3)).toEqual([]);
    },
    LIFE_MS,
  );

  test('are known as their seed made them', async () => {
    for (const machine of simulation.fleet.machines.slice(0, 8)) {
      const { hardware } = machine;
      const detail = await detailOf(machine);
      expect(detail).toMatchObject({
        powerType: hardware.bmc.kind,
        firmware: hardware.firmware,
        cpuCount: hardware.processor.cores * hardware.sockets * 2,
        memory: hardware.memoryMib,
        storage: hardware.disks.reduce((sum, { bytes }) => sum + bytes, 0),
        hardware: { system_vendor: hardware.model.vendor, system_serial: hardware.serial },
      });
      expect(detail.disks.map(({ serial }) => serial).sort()).toEqual(
        hardware.disks.map(({ serial }) => serial).sort(),
      );
      expect(detail.interfaces.map(({ mac }) => mac).sort()).toEqual(hardware.ports.map(({ mac }) => mac).sort());
      expect(machine.firstBoot()?.hostname).toContain(detail.hostname);
    }
    expect(new Set(simulation.fleet.machines.map(({ hardware }) => hardware.bmc.kind))).toEqual(
      new Set(['ipmi', 'redfish']),
    );
  });

  test('Ingot gives their systems addresses that the foreign DHCP server does not', async () => {
    for (const machine of simulation.fleet.machines.slice(0, 8)) {
      const [lower] = machine.vlan.range.start.split('.').slice(2).map(Number);
      const { addresses } = await detailOf(machine);
      const own = addresses.filter((address) => Number(address.split('.')[2]) < (lower ?? 0));
      expect(own.length, `${addresses.join(' ')} besides ${machine.vlan.range.start}`).toBeGreaterThan(0);
    }
  });

  test(
    'come back erased and off',
    async () => {
      await all((machine) => carryThrough(simulation, machine, 'release', 'READY', { erase: true }, LIFE_MS));
      expect(simulation.fleet.machines.filter((machine) => machine.disk() !== null || machine.isOn())).toEqual([]);
      expect(switchedOtherThan(4)).toEqual([]);
    },
    LIFE_MS,
  );
});

describe('what is wrong with a machine', () => {
  const LIMIT_S = 15;
  /** A call over a bad line is repeated for a while. */
  const POWER_LIMIT_S = 40;
  const nth = (bmc: 'ipmi' | 'redfish', at: number): FleetMachine => {
    const found = simulation.fleet.machines.filter(({ hardware }) => hardware.bmc.kind === bmc)[at];
    if (!found) throw new Error(`the fleet has no ${at + 1} machines with ${bmc}`);
    return found;
  };
  const ipmi = (at: number) => nth('ipmi', at);

  beforeAll(async () => {
    const limits: Record<string, number> = { power: POWER_LIMIT_S };
    for (const phase of ['dhcp', 'boot-program', 'kernel', 'agent', 'script', 'step', 'reboot', 'power-off']) {
      limits[phase] = LIMIT_S;
    }
    await simulation.api.setSettings({ phase_limits: limits });
  });
  afterAll(async () => {
    await simulation?.api.setSettings({ phase_limits: {} });
    for (const machine of simulation.fleet.machines) machine.fault = null;
  });

  /** Runs one action on a faulty machine and gives how its attempt ended. */
  async function ending(machine: FleetMachine, kind: FaultKind, action: string) {
    machine.fault = { kind, at: 3 };
    const id = await act(simulation, machine, action, action === 'deploy' ? { image: SIMULATED_IMAGE } : {});
    const isOver = ({ attempt }: Seen) => attempt?.ended === true && attempt.id === id;
    const seen = await simulation.watch.until(machine.systemId() ?? '', 'the end of the attempt', 120_000, isOver);
    const detail = await detailOf(machine);
    return { status: seen.status, code: detail.attempt?.failure?.code ?? null, said: detail.errorDescription };
  }

  test.concurrent.each([
    {
      bmc: 'ipmi',
      at: 0,
      kind: 'dead-bmc',
      action: 'commission',
      status: 'FAILED_COMMISSIONING',
      code: /^(stuck\.power|power\.connection)$/,
    },
    { bmc: 'ipmi', at: 1, kind: 'wrong-password', action: 'commission', status: 'READY', code: /^power\.auth$/ },
    {
      bmc: 'ipmi',
      at: 2,
      kind: 'lying-bmc',
      action: 'commission',
      status: 'FAILED_COMMISSIONING',
      code: /^(stuck\.(power|dhcp)|power\.action)$/,
    },
    {
      bmc: 'ipmi',
      at: 3,
      kind: 'failing-script',
      action: 'commission',
      status: 'FAILED_COMMISSIONING',
      code: /^script\.failed$/,
    },
    {
      bmc: 'ipmi',
      at: 4,
      kind: 'failing-disk',
      action: 'deploy',
      status: 'FAILED_DEPLOYMENT',
      code: /^install\.step_failed$/,
    },
    {
      bmc: 'redfish',
      at: 0,
      kind: 'dead-bmc',
      action: 'commission',
      status: 'FAILED_COMMISSIONING',
      code: /^(stuck\.power|power\.connection)$/,
    },
    { bmc: 'redfish', at: 1, kind: 'wrong-password', action: 'commission', status: 'READY', code: /^power\.auth$/ },
    {
      bmc: 'redfish',
      at: 2,
      kind: 'lying-bmc',
      action: 'commission',
      status: 'FAILED_COMMISSIONING',
      code: /^(stuck\.(power|dhcp)|power\.action)$/,
    },
  ] as const)(
    '$kind ($bmc) ends as $status, by name',
    async ({ bmc, at, kind, action, status, code }) => {
      const end = await ending(nth(bmc, at), kind, action);
      expect(end.code).toMatch(code);
      expect(end.status).toBe(status);
      expect(end.said).toMatch(/\w/);
    },
    150_000,
  );

  /**
   * @fault A third of the packets between the rack and a BMC are lost.
   * @sees Nothing but a power phase that takes longer.
   * @ends The machine is commissioned.
   */
  test.concurrent('lost packets cost time, no machine', async () => {
    expect(await ending(ipmi(5), 'packet-loss', 'commission')).toMatchObject({ status: 'READY', code: null });
  }, 150_000);

  /**
   * @fault The agent of a machine dies at the third script of its commissioning.
   * @sees stuck.script: "… has run past its time limit", with the script's name and the last thing that was seen.
   * @ends Failed commissioning; commissioned again without the fault it gets Ready.
   */
  test.concurrent('an agent that dies', async () => {
    expect(await ending(ipmi(6), 'agent-dies', 'commission')).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      code: 'stuck.script',
    });
  }, 150_000);

  /**
   * @fault A machine hangs in its firmware and never asks for an address.
   * @sees stuck.dhcp: switched on, no DHCP request was seen; boot order, cable or VLAN as likely causes.
   * @ends Failed commissioning; the machine can be commissioned again at once.
   */
  test.concurrent('a machine that never boots', async () => {
    expect(await ending(ipmi(7), 'never-boots', 'commission')).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      code: 'stuck.dhcp',
    });
  }, 150_000);

  /**
   * @fault The disk of a machine is eight times slower than others.
   * @sees An image step that takes longer, with its bytes going up.
   * @ends Deployed.
   */
  test.concurrent('a slow disk costs time, nothing else', async () => {
    const machine = ipmi(8);
    expect(await ending(machine, 'slow-disk', 'deploy')).toMatchObject({ status: 'DEPLOYED', code: null });
    const [attempt] = await simulation.api.attempts(machine.systemId() ?? '');
    const image = attempt?.phases.find(({ name }) => name === 'step:image');
    expect(Date.parse(image?.endedAt ?? '') - Date.parse(image?.startedAt ?? '')).toBeGreaterThan(SLOW_MS * 0.9);
  }, 150_000);

  /**
   * @fault Somebody pulls the plug of a machine while it runs its commissioning scripts.
   * @sees stuck.script or stuck.agent within the phase's limit, with the newest evidence.
   * @ends Failed commissioning; commissioned again it gets Ready.
   */
  test.concurrent('a machine that is switched off in the middle of its commissioning', async () => {
    const machine = ipmi(FAULTY - 1);
    // Slow enough for somebody to come; left alone it would get Ready.
    machine.timing = 'brisk';
    await act(simulation, machine, 'commission');
    const systemId = machine.systemId() ?? '';
    await simulation.watch.until(
      systemId,
      'scripts',
      60_000,
      ({ attempt }) => attempt?.phase?.startsWith('script:') ?? false,
    );
    machine.power('off');
    machine.timing = 'zero';
    const seen = await simulation.watch.until(systemId, 'the end', 120_000, ({ attempt }) => attempt?.ended === true);
    expect(seen).toMatchObject({
      status: 'FAILED_COMMISSIONING',
      attempt: { code: expect.stringMatching(/^stuck\./) },
    });
  }, 200_000);

  test('and when it is put right, each gets Ready', async () => {
    await simulation.api.setSettings({ phase_limits: {} });
    const broken = [
      ...Array.from({ length: FAULTY }, (_, at) => ipmi(at)),
      ...Array.from({ length: FAULTY_REDFISH }, (_, at) => nth('redfish', at)),
    ];
    for (const machine of broken) machine.fault = null;
    await Promise.all(
      broken.map(async (machine) => {
        const { status } = await detailOf(machine);
        const action = /DEPLOY/.test(status) ? 'release' : 'commission';
        await carryThrough(simulation, machine, action, 'READY', {}, 300_000);
      }),
    );
  }, 320_000);
});
