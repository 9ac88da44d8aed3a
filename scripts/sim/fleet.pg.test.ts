import type { MachineDetail } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { SIMULATED_IMAGE, type SimulatedSite, startSimulatedSite } from '@ingot/lab/sim/site.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, ensureBuilt } from './built.ts';

// Whole lives of several machines at once, over the real wire protocols of rack, agent and cloud-init, against a region
// in its own process.

const USER_DATA = '#cloud-config\nfinal_message: simulated\n';
let site: SimulatedSite;

beforeAll(async () => {
  await ensureBuilt('region');
  site = await startSimulatedSite({ checkout, machines: 5, seed: 2026 });
});
afterAll(async () => {
  await site?.stop();
});

async function detail(machine: SimulatedMachine): Promise<MachineDetail> {
  const found = await site.find(machine);
  if (!found) throw new Error(`machine ${machine.index} has not enlisted`);
  return found;
}

/** Says what the machine waited for when it does not get there. */
async function reach(machine: SimulatedMachine, status: string, limitMs = 45_000): Promise<MachineDetail> {
  let last: MachineDetail | undefined;
  try {
    return await waitFor(
      status,
      limitMs,
      async () => {
        // The region may be away for a moment.
        last = (await site.find(machine).catch(() => undefined)) ?? last;
        return last?.status === status ? last : undefined;
      },
      100,
    );
  } catch (error) {
    const phases = last?.attempt?.phases.map(({ name }) => name).join(' ') ?? 'no attempt';
    throw new Error(`machine ${machine.index} is ${last?.status ?? 'unknown'}, not ${status}: ${phases}`, {
      cause: error,
    });
  }
}

const all = <T>(work: (machine: SimulatedMachine) => Promise<T>): Promise<T[]> => Promise.all(site.machines.map(work));

async function act(machine: SimulatedMachine, action: string, request = {}): Promise<void> {
  await site.api.act((await detail(machine)).systemId, action, request);
}

async function enlist(machine: SimulatedMachine): Promise<MachineDetail> {
  await machine.press('on');
  const found = await waitFor(`machine ${machine.index} to enlist`, 20_000, () => site.find(machine), 100);
  await waitFor(`machine ${machine.index} to go off`, 10_000, async () => (machine.isOn() ? undefined : true), 20);
  return found;
}

describe('five machines at once', () => {
  test('enlist, and what they are reads as the dice fell', async () => {
    await all(enlist);
    await all(async (machine) => {
      const { hardware } = machine;
      expect(await detail(machine)).toMatchObject({
        status: 'NEW',
        powerType: 'ipmi',
        firmware: hardware.firmware,
        cpuCount: hardware.cores,
        memory: hardware.memoryMib,
        storage: hardware.disk.bytes,
        disks: [{ name: hardware.disk.name, serial: hardware.disk.serial }],
        interfaces: hardware.macs.map((mac) => ({ mac })),
        hardware: { system_serial: hardware.serial },
      });
    });
    expect(new Set(site.machines.map(({ hardware }) => hardware.firmware))).toEqual(new Set(['bios', 'uefi']));
  });

  test('are commissioned', async () => {
    await all((machine) => act(machine, machine.index % 2 ? 'accept' : 'commission'));
    await all((machine) => reach(machine, 'READY'));
    expect(site.machines.map((machine) => machine.powerOns())).toEqual([2, 2, 2, 2, 2]);
  });

  test('are deployed, and their systems read the user-data that was given', async () => {
    await all((machine) => act(machine, 'deploy', { image: SIMULATED_IMAGE, userData: USER_DATA }));
    const deployed = await all((machine) => reach(machine, 'DEPLOYED'));
    await all((machine) =>
      waitFor('first boot', 10_000, async () => (await detail(machine)).attempt?.endedAt ?? undefined, 100),
    );
    for (const [index, machine] of site.machines.entries()) {
      expect(machine.firstBoot()).toMatchObject({
        userData: USER_DATA,
        hostname: expect.stringContaining(deployed[index]?.hostname ?? '?'),
      });
      expect(machine.disk()?.disk.serial).toBe(machine.hardware.disk.serial);
    }
    const [attempt] = await site.api.attempts(deployed[0]?.systemId ?? '');
    expect(attempt).toMatchObject({ kind: 'deploy', outcome: 'passed' });
    const names = attempt?.phases.map(({ name }) => name) ?? [];
    const steps = ['disk', 'partition', 'filesystems', 'image', 'files', 'boot-loader', 'sync'].map(
      (one) => `step:${one}`,
    );
    const early = ['dhcp', 'boot-program', 'kernel'];
    const expected = ['power', ...early, 'agent', ...steps, 'reboot', 'first-boot'];
    // Such a machine boots faster than its evidence is told: a phase of the boot may be passed over, none comes late.
    expect(names).toEqual(expected.filter((name) => names.includes(name) || !early.includes(name)));
  });

  test('come back erased', async () => {
    await all((machine) => act(machine, 'release', { erase: true }));
    await all((machine) => reach(machine, 'READY'));
    expect(site.machines.map((machine) => [machine.disk(), machine.isOn()])).toEqual(
      site.machines.map(() => [null, false]),
    );
    // Switched off once for the wipe, from its own system.
    expect(site.machines.map((machine) => machine.powerOns())).toEqual([4, 4, 4, 4, 4]);
  });
});

describe('kill -9 of the region', () => {
  async function killDuring(phase: RegExp): Promise<void> {
    await waitFor(
      `a machine in ${phase}`,
      20_000,
      async () =>
        (await site.api.machines()).some((one) => phase.test(one.attempt?.phases.at(-1)?.name ?? ''))
          ? true
          : undefined,
      20,
    );
    await site.region.kill();
    await site.region.start();
  }

  /**
   * @fault kill -9 of the region while machines run their commissioning scripts.
   * @sees The API is away for seconds.
   * @ends All get Ready by one power-on each.
   */
  test('while machines run their commissioning scripts: all get Ready by one power-on each', async () => {
    for (const machine of site.machines) machine.pace = [30, 90];
    const before = site.machines.map((machine) => machine.powerOns());
    await all((machine) => act(machine, 'commission'));
    await killDuring(/^script:/);
    await all((machine) => reach(machine, 'READY'));
    expect(site.machines.map((machine, index) => machine.powerOns() - (before[index] ?? 0))).toEqual([1, 1, 1, 1, 1]);
  });

  /**
   * @fault kill -9 of the region while machines install.
   * @sees The API is away for seconds.
   * @ends All get Deployed by one power-on each.
   */
  test('while machines install: all get Deployed by one power-on each', async () => {
    const before = site.machines.map((machine) => machine.powerOns());
    await all((machine) => act(machine, 'deploy', { image: SIMULATED_IMAGE }));
    await killDuring(/^step:/);
    await all((machine) => reach(machine, 'DEPLOYED'));
    expect(site.machines.map((machine, index) => machine.powerOns() - (before[index] ?? 0))).toEqual([1, 1, 1, 1, 1]);
  });

  /**
   * @fault kill -9 of the region while the power of machines is being switched.
   * @sees The API is away for seconds.
   * @ends Nobody is switched twice.
   */
  test('while their power is being switched: nobody is switched twice', async () => {
    const before = site.machines.map((machine) => machine.powerOns());
    await all((machine) => act(machine, 'release', { erase: true }));
    await site.region.kill();
    await site.region.start();
    await all((machine) => reach(machine, 'READY'));
    expect(site.machines.map((machine, index) => machine.powerOns() - (before[index] ?? 0))).toEqual([1, 1, 1, 1, 1]);
    for (const machine of site.machines) machine.pace = [0, 20];
  });
});

describe('what is stuck says so', () => {
  /** Long enough for a healthy step on a busy host, short enough to wait for. */
  const LIMIT_S = 6;

  beforeAll(async () => {
    // The ones below need another machine each; what comes before the fault has its usual limits.
    for (let count = 0; count < 5; count += 1) site.add();
    const fresh = site.machines.slice(5);
    await Promise.all(fresh.map(enlist));
    await Promise.all(fresh.map((machine) => act(machine, 'accept')));
    await Promise.all(fresh.map((machine) => reach(machine, 'READY')));
    await site.api.setSettings({
      phase_limits: Object.fromEntries(
        ['power', 'dhcp', 'boot-program', 'kernel', 'agent', 'script', 'step', 'reboot', 'power-off'].map((phase) => [
          phase,
          LIMIT_S,
        ]),
      ),
    });
  });
  afterAll(async () => {
    await site.api.setSettings({ phase_limits: {} });
  });

  const cases = [
    { code: 'stuck.power', faults: { bmc: 'dead' }, action: 'commission', ends: 'FAILED_COMMISSIONING' },
    { code: 'stuck.dhcp', faults: { stopAt: 'dhcp' }, action: 'commission', ends: 'FAILED_COMMISSIONING' },
    {
      code: 'stuck.boot_program',
      faults: { stopAt: 'boot-program' },
      action: 'commission',
      ends: 'FAILED_COMMISSIONING',
    },
    { code: 'stuck.kernel', faults: { stopAt: 'kernel' }, action: 'commission', ends: 'FAILED_COMMISSIONING' },
    { code: 'stuck.agent', faults: { stopAt: 'agent' }, action: 'commission', ends: 'FAILED_COMMISSIONING' },
    {
      code: 'stuck.script',
      faults: { stopAt: 'maas-capture-lldpd' },
      action: 'commission',
      ends: 'FAILED_COMMISSIONING',
    },
    { code: 'stuck.step', faults: { stopAt: 'image' }, action: 'deploy', ends: 'FAILED_DEPLOYMENT' },
    { code: 'stuck.reboot', faults: { stopAt: 'reboot' }, action: 'deploy', ends: 'FAILED_DEPLOYMENT' },
    { code: 'power.auth', faults: { bmc: 'wrong-password' }, action: 'commission', ends: 'READY' },
    {
      code: 'script.failed',
      faults: { failScript: 'maas-capture-lldpd' },
      action: 'commission',
      ends: 'FAILED_COMMISSIONING',
    },
  ] as const;

  test.concurrent.each(cases.map((one, index) => ({ ...one, index })))(
    '$code',
    async ({ code, faults, action, ends, index }) => {
      const machine = site.machines[index];
      if (!machine) throw new Error('too few machines');
      machine.faults = faults;
      await act(machine, action, action === 'deploy' ? { image: SIMULATED_IMAGE } : {});
      const { systemId } = await detail(machine);
      const failure = await waitFor(
        `${code} of machine ${index}`,
        45_000,
        async () => (await detail(machine)).attempt?.failure ?? undefined,
        100,
      );
      expect(failure).toMatchObject({ code, fix: expect.stringMatching(/\w/), message: expect.stringMatching(/\w/) });
      const seen = await detail(machine);
      expect(seen).toMatchObject({ status: ends, errorDescription: failure.message });
      // The same words wherever one looks.
      const [attempt] = await site.api.attempts(systemId);
      expect(attempt).toMatchObject({ outcome: 'failed', failure });
      const listed = (await site.api.machines()).find((one) => one.systemId === systemId);
      expect(listed?.attempt?.failure).toEqual(failure);
      const events = await site.api.events(systemId);
      expect(events.map(({ description }) => description)).toContainEqual(expect.stringContaining(failure.message));
      if (code.startsWith('stuck.')) expect(failure.evidence).toMatch(/\w/);
    },
  );

  test('stuck.first_boot warns, and takes nothing from its owner; stuck.power_off', async () => {
    const machine = site.machines.at(-1);
    if (!machine) throw new Error('too few machines');
    machine.faults = { stopAt: 'first-boot' };
    await act(machine, 'commission');
    await reach(machine, 'READY');
    await site.api.setSettings({ phase_limits: { 'first-boot': 2, 'power-off': 2 } });
    await act(machine, 'deploy', { image: SIMULATED_IMAGE });
    const { systemId } = await reach(machine, 'DEPLOYED');
    const warning = 'The deployed system has not reported the end of its first boot within';
    await waitFor(
      'stuck.first_boot',
      15_000,
      async () =>
        (await site.api.events(systemId)).some(
          ({ description, level }) => level === 'WARNING' && description.startsWith(warning),
        ) || undefined,
    );
    expect(await detail(machine)).toMatchObject({ status: 'DEPLOYED', attempt: { outcome: 'passed', failure: null } });
    machine.faults = { bmc: 'dead' };
    await act(machine, 'release');
    expect(await reach(machine, 'FAILED_RELEASING')).toMatchObject({
      attempt: { outcome: 'failed', failure: { code: 'stuck.power_off' } },
      errorDescription: expect.stringContaining('not seen off'),
    });
  });
});
