import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptView, MachineView } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { Dice } from '@ingot/lab/sim/dice.ts';
import { ApiRefusal, type NativeClient } from '@ingot/lab/story/native-client.ts';
import { IMAGE } from './fault-site.ts';

/** What a life needs of a machine, of whichever simulation. */
export interface LivingMachine {
  index: number;
  press(power: 'on'): Promise<void>;
  isOn(): boolean;
  powerOns(): number;
  refusal(): string | null;
}

/** Where machines live: calls fail while nobody answers. */
export interface LivingSite<M extends LivingMachine = LivingMachine> {
  api: NativeClient;
  /** Undefined before it has enlisted, and while nobody answers. */
  find(machine: M): Promise<MachineView | undefined>;
}

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

/** Without anything that moves in it; the site is away for half of it, and a host may be busy besides. */
const STEP_LIMIT_MS = 360_000;
/** However much moves. */
const LONGEST_STEP_MS = 900_000;
const TRIES = 3;
/** Of the first boot: fifty come at once, and a host may be busy besides. */
const ENLIST_LIMIT_MS = 360_000;
/** A step asked for while nobody answers is asked for again. */
const PAUSE_MS = 150;

/** What the API has acknowledged for one machine, so that it can be looked for afterwards. */
export interface Life<M extends LivingMachine = LivingMachine> {
  machine: M;
  /** Attempts that were seen to be opened, in order. */
  attempts: { id: number; kind: string }[];
  failures: string[];
}

/** Switches it on and waits until it is commissioned for the first time. */
export async function bringIn<M extends LivingMachine>(site: LivingSite<M>, machine: M): Promise<Life<M>> {
  await machine.press('on');
  try {
    await waitFor(`machine ${machine.index} to enlist`, ENLIST_LIMIT_MS, () => site.find(machine), 200);
    await waitFor('it to go off', ENLIST_LIMIT_MS, async () => (machine.isOn() ? undefined : true), 20);
  } catch (error) {
    throw new Error(`machine ${machine.index} does not come in: ${machine.refusal() ?? 'it waits'}`, { cause: error });
  }
  const record: Life<M> = { machine, attempts: [], failures: [] };
  await live(site, record, COMMISSION);
  return record;
}

/** One mixed life from Ready to Ready, as the dice fall. */
export async function liveOnce<M extends LivingMachine>(
  site: LivingSite<M>,
  record: Life<M>,
  dice: Dice,
): Promise<void> {
  for (const step of dice.pick(LIVES)) await live(site, record, step);
}

/** Asks for the step until it is done; a failure is retried, as a person would. */
async function live<M extends LivingMachine>(site: LivingSite<M>, record: Life<M>, step: Step): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const end = await once(site, record, step);
    if (end.status === step.rests) return;
    record.failures.push(`${step.action}: ${end.attempt?.failure?.code ?? end.status}`);
    if (attempt === TRIES) throw new Error(`${name(record)}: ${record.failures.join(', ')}`);
  }
}

async function once<M extends LivingMachine>(site: LivingSite<M>, record: Life<M>, step: Step): Promise<MachineView> {
  const { machine } = record;
  const before = record.attempts.at(-1)?.id ?? 0;
  const deadline = performance.now() + STEP_LIMIT_MS;
  let seen: MachineView | undefined;
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
  const began = performance.now();
  let moved = { at: began, to: '' };
  for (;;) {
    seen = (await site.find(machine)) ?? seen;
    const quiet = seen && rests.includes(seen.status) && seen.attempt?.id === record.attempts.at(-1)?.id;
    // The first boot of a deployed system is part of its attempt; a release must not cut it short.
    if (seen && quiet && seen.attempt?.endedAt) return seen;
    const phases = seen?.attempt?.phases.map((phase) => phase.name).join(' ') ?? '';
    const now = performance.now();
    if (moved.to !== `${seen?.status} ${phases}`) moved = { at: now, to: `${seen?.status} ${phases}` };
    if (now - moved.at > STEP_LIMIT_MS || now - began > LONGEST_STEP_MS) {
      const inside = `${machine.isOn() ? 'on' : 'off'}${machine.refusal() ? `, told: ${machine.refusal()}` : ''}`;
      const story = seen ? await storyOf(site, seen) : '';
      throw new Error(
        `${name(record)} (${inside}): ${step.action} stays ${seen?.status} (${seen?.waitingFor?.code}): ${phases}${story}`,
      );
    }
    await sleep(PAUSE_MS);
  }
}

const TOLD = 40;

/** What the region knows of a machine that stays where it is: its last events, and what was seen of its attempt. */
async function storyOf(site: LivingSite, { systemId, attempt }: MachineView): Promise<string> {
  const events = await site.api.events(systemId).catch(() => []);
  const evidence = attempt ? await site.api.evidence(systemId, attempt.id).catch(() => []) : [];
  const all = [
    ...events.map(({ at, type, description }) => `${at} event ${type}: ${description}`),
    ...evidence.map(({ at, phase, kind, text }) => `${at} seen in ${phase}, ${kind}: ${text}`),
  ];
  return ['', ...all.sort().slice(-TOLD)].join('\n  ');
}

const name = ({ machine }: Life) => `machine ${machine.index}`;
