import type { MachineDetail } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { SIMULATED_IMAGE, type SimulatedSite, startSimulatedSite } from '@ingot/lab/sim/site.ts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { checkout, ensureBuilt } from './built.ts';

// Machines that stay on between one piece of work and the next, and systems that start without a reset.

let site: SimulatedSite;
const SLOW = { timeout: 200_000 };
beforeAll(async () => {
  await ensureBuilt('region');
  site = await startSimulatedSite({ checkout, machines: 0, seed: 7_2026 });
});
afterAll(() => site?.stop());
beforeEach(() => site.api.setSettings({ fast_track: 5, kexec: false, phase_limits: { 'agent-kept': 3 } }));

async function detail(machine: SimulatedMachine): Promise<MachineDetail> {
  const found = await site.find(machine);
  if (!found) throw new Error(`machine ${machine.index} has not enlisted`);
  return found;
}

/** Says what the machine did when it does not get there. */
async function until(
  machine: SimulatedMachine,
  what: string,
  holds: (seen: MachineDetail) => boolean,
): Promise<MachineDetail> {
  let last: MachineDetail | undefined;
  const look = async () => {
    // The region may be away for a moment.
    last = (await site.find(machine).catch(() => undefined)) ?? last;
    return last !== undefined && holds(last) ? last : undefined;
  };
  try {
    return await waitFor(what, 90_000, look, 50);
  } catch (cause) {
    const did = last === undefined ? 'unknown' : `${last.status}: ${phases(last).join(' ')}`;
    throw new Error(`machine ${machine.index} is not ${what} but ${did}`, { cause });
  }
}
const reach = (machine: SimulatedMachine, status: string) => until(machine, status, (seen) => seen.status === status);

const act = async (machine: SimulatedMachine, action: string, request = {}) =>
  site.api.act((await detail(machine)).systemId, action, request);
const phases = (seen: MachineDetail) => (seen.attempt?.phases ?? []).map(({ name }) => name);

/** Switched on by its button; its agent is there and waits. */
async function enlist(): Promise<SimulatedMachine> {
  const machine = site.add();
  await machine.press('on');
  await until(machine, 'kept up', ({ waitingFor }) => waitingFor?.code === 'fast-track');
  return machine;
}

test('enlist, commission and deploy with one power-on in all', SLOW, async () => {
  const machine = await enlist();
  await act(machine, 'commission');
  const ready = await until(machine, 'ready and kept up', ({ status, waitingFor }) => {
    return status === 'READY' && waitingFor?.code === 'fast-track';
  });
  expect(ready.powerState).toBe('on');
  expect(phases(ready)[0]).toBe('agent');
  expect(phases(ready)).not.toEqual(expect.arrayContaining(['power', 'dhcp', 'boot-program', 'kernel']));
  await act(machine, 'deploy', { image: SIMULATED_IMAGE });
  const deployed = await reach(machine, 'DEPLOYED');
  expect(phases(deployed)[0]).toBe('agent');
  expect(phases(deployed)).toEqual(expect.arrayContaining(['step:image', 'reboot', 'first-boot']));
  const events = await site.api.events(deployed.systemId);
  expect(events.map(({ description }) => description).join('\n')).toContain('fast track');
  expect(machine.powerOns()).toBe(1);
  expect(
    site.rack.calls().filter(({ systemId, action }) => systemId === deployed.systemId && action !== 'query'),
  ).toEqual([]);
});

/**
 * @fault A machine that stayed on for more work (fast track) loses its power before the work comes.
 * @sees The attempt begins with the agent, says that it did not begin in time or was seen off, and goes on with the power phase.
 * @ends The machine is power-cycled and commissioned as usual; nothing has to be repeated by hand.
 */
test('an agent that has gone meanwhile costs its short deadline, then the machine is booted', SLOW, async () => {
  const machine = await enlist();
  await machine.press('off');
  await act(machine, 'commission');
  expect(phases(await detail(machine))).toEqual(['agent']);
  const ready = await reach(machine, 'READY');
  expect(phases(ready).slice(0, 3)).toEqual(['agent', 'power', 'dhcp']);
  expect(ready.attempt?.outcome).toBe('passed');
  expect(machine.powerOns()).toBe(2);
  const { systemId, attempt } = ready;
  const events = await site.api.events(systemId);
  expect(events.map(({ description }) => description).join('\n')).toMatch(/did not begin within \d+ s|was seen off/);
  expect(attempt?.failure).toBeNull();
});

test('work handed over is done once although the region is killed in that moment', SLOW, async () => {
  await site.api.setSettings({ phase_limits: { 'agent-kept': 60 } });
  const machine = await enlist();
  await act(machine, 'commission');
  await site.region.kill();
  await site.region.start();
  const ready = await reach(machine, 'READY');
  expect(ready.attempt?.outcome).toBe('passed');
  expect(phases(ready)).not.toContain('power');
  expect(machine.powerOns()).toBe(1);
});

test(
  'without work it is switched off when the time is over: by its BMC, or by its agent while nobody has accepted it',
  SLOW,
  async () => {
    await site.api.setSettings({ fast_track: 0.05 });
    const machine = await enlistShortly();
    const { systemId } = await detail(machine);
    expect(site.rack.calls().filter((call) => call.systemId === systemId)).toEqual([]);
    await act(machine, 'commission');
    const ready = await until(
      machine,
      'ready and off',
      ({ status, powerState }) => status === 'READY' && powerState === 'off',
    );
    expect(ready.waitingFor).toBeNull();
    expect(machine.isOn()).toBe(false);
    expect(
      site.rack
        .calls()
        .filter((call) => call.systemId === systemId)
        .map(({ action }) => action),
    ).toContain('off');
  },
);

async function enlistShortly(): Promise<SimulatedMachine> {
  const machine = site.add();
  await machine.press('on');
  await waitFor('it to enlist', 20_000, () => site.find(machine), 50);
  await waitFor('it to go off', 20_000, async () => (machine.isOn() ? undefined : true), 50);
  return machine;
}

test('with kexec the installed system starts without a reset, and the phase reboot says so', SLOW, async () => {
  await site.api.setSettings({ kexec: true });
  const machine = await enlist();
  await act(machine, 'commission');
  await reach(machine, 'READY');
  await act(machine, 'deploy', { image: SIMULATED_IMAGE });
  const { systemId, attempt } = await reach(machine, 'DEPLOYED');
  const evidence = await site.api.evidence(systemId, attempt?.id ?? 0);
  const reboot = evidence.filter(({ phase }) => phase === 'reboot').map(({ kind, text }) => `${kind} ${text}`);
  expect(reboot.join('\n')).toContain('agent.kexec By kexec');
  // Past firmware and boot program: nobody asked for a boot script.
  expect(evidence.map(({ kind }) => kind)).not.toContain('boot.script');
});

/**
 * @fault The installed kernel cannot be loaded for kexec.
 * @sees Step `kexec` failed in the attempt's evidence; the phase reboot does not speak of kexec.
 * @ends The machine is reset and boots its disk: deployed.
 */
test('where kexec cannot be, the machine is reset as usual', SLOW, async () => {
  await site.api.setSettings({ kexec: true });
  const machine = await enlist();
  machine.faults.failStep = 'kexec';
  await act(machine, 'commission');
  await reach(machine, 'READY');
  await act(machine, 'deploy', { image: SIMULATED_IMAGE });
  const { systemId, attempt } = await reach(machine, 'DEPLOYED');
  const evidence = await site.api.evidence(systemId, attempt?.id ?? 0);
  expect(evidence.map(({ text }) => text).join('\n')).toContain('kexec failed');
  expect(evidence.map(({ kind }) => kind)).toContain('boot.script');
  expect(evidence.map(({ kind }) => kind)).not.toContain('agent.kexec');
});
