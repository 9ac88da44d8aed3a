import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineView } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../sim/built.ts';
import { type FaultSite, IMAGE, startFaultSite } from './fault-site.ts';
import { bringIn } from './lifecycle.ts';

// INGOT_FAULT_CUT_SECONDS=300 INGOT_FAULT_DEPLOYS=50 for the long run; INGOT_FAULT_SEED for another one of the same kind.
const SEED = Number(process.env.INGOT_FAULT_SEED ?? 20260305);
const CUT_MS = 1000 * Math.min(300, Number(process.env.INGOT_FAULT_CUT_SECONDS ?? 20));
const DEPLOYS = Math.min(60, Number(process.env.INGOT_FAULT_DEPLOYS ?? 10));
const LIMIT_MS = 240_000 + CUT_MS + DEPLOYS * 20_000;

/** Of all at once, on a host that may be busy besides. */
const REACH_MS = 120_000 + DEPLOYS * 5000;

/** Half of the cut, so that every machine is overdue before it ends. */
const PHASE_LIMIT_SECONDS = CUT_MS / 2000;
const PHASES = ['power', 'dhcp', 'boot-program', 'kernel', 'agent', 'step', 'reboot', 'first-boot'];

let site: FaultSite;
beforeAll(async () => {
  await ensureBuilt('region');
  site = await startFaultSite({ regions: 1, machines: DEPLOYS, seed: SEED, pace: [20, 120] });
  await Promise.all(site.machines.map((machine) => bringIn(site, machine)));
}, LIMIT_MS);
afterAll(() => site?.stop());

async function detail(machine: SimulatedMachine): Promise<MachineView> {
  const seen = await site.find(machine);
  if (!seen) throw new Error(`machine ${machine.index} is gone`);
  return seen;
}

const reach = (machine: SimulatedMachine, status: string) =>
  waitFor(
    `machine ${machine.index} to be ${status}`,
    REACH_MS,
    async () => ((await site.find(machine))?.status === status ? true : undefined),
    100,
  );

/**
 * @fault The rack's link to the region is cut for up to five minutes while machines are deployed.
 * @sees The machines wait where they are; what the rack saw meanwhile stands in their timelines afterwards.
 * @ends All are deployed by one power-on each, without a retry.
 */
test('a cut of the rack’s link costs its time and nothing else', { timeout: LIMIT_MS }, async () => {
  const before = site.machines.map((machine) => machine.powerOns());
  await site.api.setSettings({
    phase_limits: Object.fromEntries(PHASES.map((phase) => [phase, PHASE_LIMIT_SECONDS])),
  });
  await Promise.all(
    site.machines.map(async (machine) => site.api.act((await detail(machine)).systemId, 'deploy', { image: IMAGE })),
  );
  await waitFor('a machine to install', REACH_MS, async () => {
    const phases = (await site.api.machines()).map(({ attempt }) => attempt?.phases.at(-1)?.name ?? '');
    return phases.some((phase) => phase.startsWith('step:')) ? true : undefined;
  });
  site.cable.cut();
  await sleep(CUT_MS);
  const meanwhile = await site.api.machines();
  expect(meanwhile.map(({ status }) => status)).not.toContain('FAILED_DEPLOYMENT');
  expect(meanwhile.map(({ status }) => status)).toContain('DEPLOYING');
  const overdue = meanwhile.filter(({ waitingFor }) => waitingFor && Date.parse(waitingFor.deadline) < Date.now());
  expect(overdue.length).toBeGreaterThan(0);
  site.cable.mend();
  await Promise.all(site.machines.map((machine) => reach(machine, 'DEPLOYED')));
  expect(site.machines.map((machine, at) => machine.powerOns() - (before[at] ?? 0))).toEqual(before.map(() => 1));
  await site.api.setSettings({ phase_limits: {} });
  for (const machine of site.machines) {
    const attempts = await site.api.attempts((await detail(machine)).systemId);
    expect(attempts.filter(({ kind }) => kind === 'deploy')).toHaveLength(1);
  }
});

/**
 * @fault Somebody switches a machine off in the middle of its commissioning.
 * @sees Failed commissioning: the script it was in took too long, with the last thing that was seen of it.
 * @ends Ready after commissioning again.
 */
test('a machine that is switched off while it is commissioned fails by name, and a retry works', {
  timeout: LIMIT_MS,
}, async () => {
  const [machine] = site.machines;
  if (!machine) throw new Error('no machine');
  await site.api.act((await detail(machine)).systemId, 'release');
  await reach(machine, 'READY');
  await site.api.setSettings({ phase_limits: { script: 4 } });
  await site.api.act((await detail(machine)).systemId, 'commission');
  await waitFor('it to run a script', REACH_MS, async () =>
    (await detail(machine)).attempt?.phases.at(-1)?.name.startsWith('script:') ? true : undefined,
  );
  await machine.press('off');
  await reach(machine, 'FAILED_COMMISSIONING');
  const { attempt, systemId } = await detail(machine);
  expect(attempt?.failure).toMatchObject({ code: 'stuck.script', evidence: expect.stringMatching(/\w/) });
  await site.api.setSettings({ phase_limits: {} });
  await waitFor('it to be asked again', REACH_MS, () => site.api.act(systemId, 'commission').catch(() => undefined));
  await reach(machine, 'READY');
});
