import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptView, MachineDetail } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { Dice } from '@ingot/lab/sim/dice.ts';
import type { SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { ApiRefusal } from '@ingot/lab/story/native-client.ts';
import { type FaultSite, IMAGE } from './fault-site.ts';

/** One action of a life: what is asked, the attempt that it makes, and where the machine may rest afterwards. */
interface Step {
  action: string;
  request?: Record<string, unknown>;
  attempt: AttemptView['kind'];
  rests: string;
  /** What a failure of it is called; from there it is asked again. */
  fails: string[];
}

const COMMISSION: Step = {
  action: 'commission',
  attempt: 'commission',
  rests: 'READY',
  fails: ['FAILED_COMMISSIONING', 'FAILED_TESTING'],
};
const TEST: Step = { action: 'test', attempt: 'test', rests: 'READY', fails: ['FAILED_TESTING'] };
const DEPLOY: Step = {
  action: 'deploy',
  request: { image: IMAGE, userData: '#cloud-config\n{}\n' },
  attempt: 'deploy',
  rests: 'DEPLOYED',
  fails: ['FAILED_DEPLOYMENT'],
};
const ERASE: Step = {
  action: 'release',
  request: { erase: true },
  attempt: 'erase',
  rests: 'READY',
  fails: ['FAILED_DISK_ERASING', 'FAILED_RELEASING'],
};
const RELEASE: Step = { action: 'release', attempt: 'release', rests: 'READY', fails: ['FAILED_RELEASING'] };
const RESCUE: Step = {
  action: 'rescue',
  attempt: 'rescue',
  rests: 'RESCUE_MODE',
  fails: ['FAILED_ENTERING_RESCUE_MODE'],
};
const LEAVE: Step = {
  action: 'exit-rescue',
  attempt: 'exit-rescue',
  rests: 'DEPLOYED',
  fails: ['FAILED_EXITING_RESCUE_MODE'],
};

const LIVES: readonly [Step[], ...Step[][]] = [
  [COMMISSION, DEPLOY, ERASE],
  [COMMISSION, TEST, DEPLOY, RELEASE],
  [TEST, DEPLOY, ERASE],
  [DEPLOY, RESCUE, LEAVE, ERASE],
  [DEPLOY, RELEASE, COMMISSION],
];

/** Of which it is away for half; a host may be busy besides. */
const STEP_LIMIT_MS = 180_000;
const TRIES = 3;
/** A step asked for while nobody answers is asked for again. */
const PAUSE_MS = 150;

/** What the API has acknowledged for one machine, so that it can be looked for afterwards. */
export interface Life {
  machine: SimulatedMachine;
  /** Attempts that were seen to be opened, in order. */
  attempts: { id: number; kind: string }[];
  failures: string[];
}

/** Switches it on and waits until it is commissioned for the first time. */
export async function bringIn(site: FaultSite, machine: SimulatedMachine): Promise<Life> {
  await machine.press('on');
  await waitFor(`machine ${machine.index} to enlist`, 60_000, () => site.find(machine), 100);
  await waitFor('it to go off', 20_000, async () => (machine.isOn() ? undefined : true), 20);
  const record: Life = { machine, attempts: [], failures: [] };
  await live(site, record, COMMISSION);
  return record;
}

/** One mixed life from Ready to Ready, as the dice fall. */
export async function liveOnce(site: FaultSite, record: Life, dice: Dice): Promise<void> {
  for (const step of dice.pick(LIVES)) await live(site, record, step);
}

/** Asks for the step until it is done; a failure is retried, as a person would. */
async function live(site: FaultSite, record: Life, step: Step): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const end = await once(site, record, step);
    if (end.status === step.rests) return;
    record.failures.push(`${step.action}: ${end.attempt?.failure?.code ?? end.status}`);
    if (attempt === TRIES) throw new Error(`${name(record)}: ${record.failures.join(', ')}`);
  }
}

async function once(site: FaultSite, record: Life, step: Step): Promise<MachineDetail> {
  const { machine } = record;
  const before = record.attempts.at(-1)?.id ?? 0;
  const deadline = performance.now() + STEP_LIMIT_MS;
  let seen: MachineDetail | undefined;
  // Until it is known to have begun: an answer may have been lost after the work was taken.
  for (;;) {
    seen = (await site.find(machine)) ?? seen;
    const own = seen?.attempt;
    if (own?.kind === step.attempt && own.id > before) {
      record.attempts.push({ id: own.id, kind: own.kind });
      break;
    }
    if (performance.now() > deadline) throw new Error(`${name(record)}: ${step.action} was not taken: ${seen?.status}`);
    try {
      if (seen) await site.api.act(seen.systemId, step.action, step.request);
    } catch (error) {
      // Taken before, with the answer lost, or not possible yet: the next look tells.
      if (error instanceof ApiRefusal && error.status !== 409 && error.status < 500) throw error;
    }
    await sleep(PAUSE_MS);
  }
  const rests = [step.rests, ...step.fails];
  try {
    return await waitFor(
      step.rests,
      STEP_LIMIT_MS,
      async () => {
        seen = (await site.find(machine)) ?? seen;
        const quiet = seen && rests.includes(seen.status) && seen.attempt?.id === record.attempts.at(-1)?.id;
        // The first boot of a deployed system is part of its attempt; a release must not cut it short.
        return quiet && seen?.attempt?.endedAt ? seen : undefined;
      },
      PAUSE_MS,
    );
  } catch {
    const phases = seen?.attempt?.phases.map((phase) => phase.name).join(' ');
    throw new Error(`${name(record)}: ${step.action} stays ${seen?.status} (${seen?.waitingFor?.code}): ${phases}`);
  }
}

const name = ({ machine }: Life) => `machine ${machine.index}`;
