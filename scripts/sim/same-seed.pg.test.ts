import { parseFaults } from '@ingot/lab/fleet/faults.ts';
import { act, enlist } from '@ingot/lab/fleet/operator.ts';
import { type Simulation, startSimulation } from '@ingot/lab/fleet/simulation.ts';
import { beforeAll, expect, test } from 'vitest';
import { checkout, ensureBuilt } from './built.ts';

// The same seed gives the same run: hardware, who is faulty, and how each machine's commissioning ends.

const MACHINES = 8;
const LIMIT_S = 12;
const FAULTS = 'failing-script=0.3,agent-dies:2=0.2,wrong-password=0.2';

beforeAll(() => ensureBuilt('region', 'rack', 'ingot'));

async function commissionAll(simulation: Simulation): Promise<string[]> {
  const { fleet, watch, api } = simulation;
  fleet.unleash(parseFaults(FAULTS, []), 'zero');
  const phases = ['script', 'agent', 'kernel', 'boot-program'];
  await api.setSettings({ phase_limits: Object.fromEntries(phases.map((phase) => [phase, LIMIT_S])) });
  return Promise.all(
    fleet.machines.map(async (machine) => {
      await enlist(machine);
      const id = await act(simulation, machine, 'commission');
      const { status, attempt } = await watch.until(
        machine.systemId() ?? '',
        'the end of its commissioning',
        120_000,
        // A view can tell the attempt's end a moment before the status that follows from it.
        (seen) => seen.attempt?.id === id && seen.attempt.ended && seen.status !== 'COMMISSIONING',
      );
      const { serial, model } = machine.hardware;
      return `${serial} ${model.vendor} ${machine.fault?.kind ?? 'healthy'}: ${status} ${attempt?.code ?? ''}`;
    }),
  );
}

async function run(seed: number): Promise<string[]> {
  const region = { kind: 'own', port: null } as const;
  const simulation = await startSimulation({
    checkout,
    machines: MACHINES,
    seed,
    vlans: 1,
    redfish: 0,
    network: null,
    region,
  });
  try {
    return await commissionAll(simulation);
  } finally {
    await simulation.stop();
  }
}

test('two runs of one seed end alike, machine by machine', async () => {
  const first = await run(11);
  expect(await run(11)).toEqual(first);
  // Otherwise there would be nothing to compare.
  expect(new Set(first.map((line) => line.split(': ')[1])).size).toBeGreaterThan(2);
}, 400_000);
