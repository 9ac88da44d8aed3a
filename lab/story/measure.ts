import path from 'node:path';
import type { AttemptView } from '@ingot/contract/native.ts';
import type { MachineWish } from '../machine/spec.ts';
import type { Turn } from '../run/turns.ts';
import { waitFor } from '../run/wait.ts';
import { apiHands } from './hands.ts';
import { provideImages } from './images.ts';
import * as job from './main-job.ts';
import { withSite } from './site.ts';
import { type PhaseTime, phasesOf, sumOwn } from './waterfall.ts';

/** Ingot's times for one machine alone, cut as lab/floor cuts the bare recipe's. Seconds. */
export interface MeasuredTimes {
  firmware: string;
  /** One after the other: power on → agent at work → machine off and Ready. */
  commissions: { agent: number; off: number }[];
  /** First to last install step. */
  deployJob: number;
  /** Restart into the disk → first login by SSH. */
  firstBoot: number;
  /** By kind of attempt; of several the most. */
  ownSeconds: Record<string, number>;
  phases: PhaseTime[];
}

/** For a machine that was told to go. */
const OFF_MS = 60_000;

export async function measure(options: {
  checkout: string;
  cache: string;
  port: number;
  wish: MachineWish;
  /** How often it is commissioned. */
  commissions: number;
  /** Called before each timed part. */
  turn: Turn;
}): Promise<MeasuredTimes> {
  const { checkout, cache, wish, commissions, turn } = options;
  return withSite(options, async ({ stateDir, lab, ingot, spec }) => {
    const handOver = path.join(stateDir, 'images');
    const image = await provideImages(ingot.api, { checkout, cache, handOver, onProgress: () => {} });
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    const story = await job.beginStory(lab, ingot, image, 'measure');
    const hands = apiHands(ingot);
    await hands.addSshKey(story.publicKey);
    await turn();
    const machine = await job.enlist(story, spec);
    const offAt: number[] = [];
    while (offAt.length < commissions) {
      await turn();
      await job.commission(story, machine, hands);
      // Ready comes with the agent's last word; the recipe counts until the machine is off.
      await waitFor('the machine to go off', OFF_MS, async () => ((await lab.isOn(spec.name)) ? undefined : true), 500);
      offAt.push(Date.now());
    }
    await turn();
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.firstLogin(story, machine);
    const loggedIn = Date.now();
    await turn();
    await job.visit(story, machine);
    await job.releaseErasing(story, machine, hands);
    const attempts = await ingot.api.attempts(machine.systemId);
    return cut(wish.firmware, attempts, offAt, loggedIn);
  });
}

function cut(firmware: string, attempts: AttemptView[], offAt: number[], loggedIn: number): MeasuredTimes {
  const ordered = attempts.toSorted((a, b) => a.id - b.id);
  const commissions = ordered.filter(({ kind }) => kind === 'commission');
  const deploy = ordered.find(({ kind }) => kind === 'deploy');
  if (!deploy) throw new Error('no deploy attempt was kept');
  const steps = deploy.phases.filter((phase) => phase.name.startsWith('step:'));
  const restart = deploy.phases.find((phase) => phase.name === 'reboot');
  const seconds = (ms: number) => Math.round(ms / 100) / 10;
  return {
    firmware,
    commissions: commissions.map(({ startedAt, phases }, round) => {
      const agent = phases.find(({ name }) => name === 'agent');
      const since = (moment: number) => seconds(moment - Date.parse(startedAt));
      return { agent: since(Date.parse(agent?.endedAt ?? '')), off: since(offAt[round] ?? Number.NaN) };
    }),
    deployJob: seconds(steps.reduce((sum, phase) => sum + phase.seconds * 1000, 0)),
    firstBoot: seconds(loggedIn - Date.parse(restart?.startedAt ?? '')),
    ownSeconds: Object.fromEntries(
      ordered.map((attempt) => [attempt.kind, sumOwn(phasesOf([attempt]))] as const).toSorted(([, a], [, b]) => a - b),
    ),
    phases: phasesOf(ordered),
  };
}
