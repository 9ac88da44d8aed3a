import path from 'node:path';
import type { AttemptView } from '@ingot/contract/native.ts';
import type { MachineWish } from '../machine/spec.ts';
import type { Turn } from '../run/turns.ts';
import { apiHands } from './hands.ts';
import { provideImages } from './images.ts';
import * as job from './main-job.ts';
import { withSite } from './site.ts';
import { type PhaseTime, phasesOf, sumOwn } from './waterfall.ts';

/** Ingot's times for one machine alone, cut as lab/floor cuts the bare recipe's. Seconds. */
export interface MeasuredTimes {
  firmware: string;
  /** Power on → agent at work → machine off and Ready. */
  commission: { agent: number; off: number };
  /** First to last install step. */
  deployJob: number;
  /** Restart into the disk → first login by SSH. */
  firstBoot: number;
  ownSeconds: Record<string, number>;
  phases: PhaseTime[];
}

export async function measure(options: {
  checkout: string;
  cache: string;
  port: number;
  wish: MachineWish;
  /** Called before each timed part. */
  turn: Turn;
}): Promise<MeasuredTimes> {
  const { checkout, cache, wish, turn } = options;
  return withSite(options, async ({ stateDir, lab, ingot, spec }) => {
    const handOver = path.join(stateDir, 'images');
    const image = await provideImages(ingot.api, { checkout, cache, handOver, onProgress: () => {} });
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    const story = await job.beginStory(lab, ingot, image, 'measure');
    const hands = apiHands(ingot);
    await hands.addSshKey(story.publicKey);
    await turn();
    const machine = await job.enlist(story, spec);
    await turn();
    await job.commission(story, machine, hands);
    await turn();
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.firstLogin(story, machine);
    const loggedIn = Date.now();
    await turn();
    await job.visit(story, machine);
    await job.releaseErasing(story, machine, hands);
    const attempts = await ingot.api.attempts(machine.systemId);
    return cut(wish.firmware, attempts, loggedIn);
  });
}

function cut(firmware: string, attempts: AttemptView[], loggedIn: number): MeasuredTimes {
  const find = (kind: string) => {
    const attempt = attempts.find((candidate) => candidate.kind === kind);
    if (!attempt) throw new Error(`no ${kind} attempt was kept`);
    return attempt;
  };
  const commission = find('commission');
  const deploy = find('deploy');
  const steps = deploy.phases.filter((phase) => phase.name.startsWith('step:'));
  const restart = deploy.phases.find((phase) => phase.name === 'reboot');
  const started = (attempt: AttemptView) => Date.parse(attempt.startedAt);
  const agent = commission.phases.find((phase) => phase.name === 'agent');
  const seconds = (ms: number) => Math.round(ms / 100) / 10;
  return {
    firmware,
    commission: {
      agent: seconds(Date.parse(agent?.endedAt ?? '') - started(commission)),
      off: seconds(Date.parse(commission.endedAt ?? '') - started(commission)),
    },
    deployJob: seconds(steps.reduce((sum, phase) => sum + phase.seconds * 1000, 0)),
    firstBoot: seconds(loggedIn - Date.parse(restart?.startedAt ?? '')),
    ownSeconds: Object.fromEntries(attempts.map((attempt) => [attempt.kind, sumOwn(phasesOf([attempt]))])),
    phases: phasesOf(attempts),
  };
}
