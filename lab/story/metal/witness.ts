import type { AttemptView, EvidenceView } from '@ingot/contract/native.ts';
import type { Lab } from '../../data-centre.ts';
import { waitFor } from '../../run/wait.ts';
import type { Named } from '../hands.ts';
import { LIMIT_MS } from '../main-job.ts';
import type { Scene } from './metal.ts';

/** A promise of the story, or what was found instead. */
export function demand(kept: boolean, otherwise: string): asserts kept {
  if (!kept) throw new Error(otherwise);
}

/** What the BMC was told about the power since `sinceMs`, by its own log. */
export async function powerChanges(lab: Lab, name: string, sinceMs: number): Promise<string[]> {
  const calls = await lab.powerCalls(name);
  return calls.filter(({ atMs, call }) => atMs >= sinceMs && /^set (power|reset)/.test(call)).map(({ call }) => call);
}

/** The newest attempt of a kind. */
export async function attemptOf(scene: Scene, machine: Named, kind: AttemptView['kind']): Promise<AttemptView> {
  const attempts = await scene.ingot.api.attempts(machine.systemId);
  const found = attempts.find((attempt) => attempt.kind === kind);
  demand(found !== undefined, `${machine.hostname} has no ${kind} attempt`);
  return found;
}

export function evidenceOf(scene: Scene, machine: Named, attempt: AttemptView): Promise<EvidenceView[]> {
  return scene.ingot.api.evidence(machine.systemId, attempt.id);
}

/** What a person reads who asks. */
export async function showMachine(scene: Scene, machine: Named): Promise<void> {
  scene.say(
    `ingot machine ${machine.hostname} --all\n${await scene.ingotCommand('machine', machine.hostname, '--all')}`,
  );
}

/** Fast track's time between two pieces of work. */
export const STAY_MINUTES = 10;

/** The work is done, and `ingot machine NAME` says that the machine waits for more. */
export async function waitsForWork(scene: Scene, { hostname }: Named): Promise<void> {
  await waitFor(`${hostname} to wait for more work`, LIMIT_MS.commission * scene.story.patience, async () => {
    const text = await scene.ingotCommand('machine', hostname);
    return text.includes('waiting for more work (fast track)') ? true : undefined;
  });
}
