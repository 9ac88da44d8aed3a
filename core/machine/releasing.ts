import {
  begin,
  clearDeployment,
  type Draft,
  dropWant,
  effect,
  emit,
  endAttempt,
  enterPhase,
  isControllable,
  openAttempt,
  openAttemptOf,
  request,
  setOwner,
  setStatus,
  settle,
  wantBoot,
  wantPower,
} from './draft.ts';
import { abortResults } from './failing.ts';
import { check } from './guards.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';

type ReleaseCommand = Extract<Command, { type: 'release' }>;

export function release(machine: MachineState, command: ReleaseCommand, context: DecideContext): Decision {
  const wipe = wipeOf(command, context);
  const scripts = (command.scripts?.release ?? []).filter((name) => name !== 'none');
  const { refused, silent } = check(machine, 'release', command.actor, { erase: wipe !== null || scripts.length > 0 });
  if (refused.length > 0) return { ok: false, refused };
  if (silent) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  const draft = begin(machine, context);
  abortResults(draft, 'aborted');
  if (wipe === null && scripts.length === 0) {
    request(draft, 'REQUEST_NODE_RELEASE', 'Started releasing %s.', command.actor, command.comment);
    releaseNow(draft);
    return settle(draft);
  }
  // Only the wipe: a status of its own. With other scripts the machine is Releasing while they run.
  const erasing = scripts.length === 0;
  const type = erasing ? 'REQUEST_NODE_ERASE_DISK' : 'REQUEST_NODE_RELEASE';
  request(draft, type, 'Started releasing %s.', command.actor, command.comment);
  draft.machine.erase = { enabled: wipe !== null, secure: wipe?.secure ?? false, quick: wipe?.quick ?? false };
  effect(draft, {
    type: 'create-script-set',
    kind: 'release',
    ...(command.scripts ? { scripts: command.scripts } : {}),
    ...(wipe ? { wipe } : {}),
  });
  Object.assign(draft.machine, { enableSsh: false, errorDescription: '' } satisfies Partial<MachineState>);
  openAttempt(draft, erasing ? 'erase' : 'release', 'power');
  setStatus(draft, erasing ? 'DISK_ERASING' : 'RELEASING');
  wantBoot(draft);
  return settle(draft);
}

/** How to wipe, or null. With the site's setting on, its choices override the request's. */
function wipeOf(command: ReleaseCommand, context: DecideContext): { secure: boolean; quick: boolean } | null {
  const { settings } = context;
  if (settings.eraseOnRelease) return { secure: settings.secureErase, quick: settings.quickErase };
  if (command.erase || command.secureErase || command.quickErase) {
    return { secure: command.secureErase ?? false, quick: command.quickErase ?? false };
  }
  return null;
}

/**
 * Give the machine back at once: forget the deployment, switch off, and when it is (or counts as) off, finish. An open
 * attempt of an erase goes on into its last phase; any other is aborted by the new one.
 */
export function releaseNow(draft: Draft): void {
  const continues = openAttemptOf(draft.machine);
  const same = continues !== null && (continues.kind === 'erase' || continues.kind === 'release');
  if (same) enterPhase(draft, 'power-off');
  else openAttempt(draft, 'release', 'power-off');
  setStatus(draft, 'RELEASING');
  clearDeployment(draft);
  draft.machine.errorDescription = '';
  draft.machine.enableSsh = false;
  effect(draft, { type: 'revoke-instance-token' });
  if (draft.machine.powerState === 'off' || !isControllable(draft.machine)) finishRelease(draft);
  else wantPower(draft, 'off');
}

/** The machine is off: back into the pool, or gone if it was made for one use. */
export function finishRelease(draft: Draft): void {
  dropWant(draft);
  effect(draft, { type: 'release-addresses' });
  effect(draft, { type: 'clear-owner-data' });
  endAttempt(draft, 'passed');
  setOwner(draft, null);
  setStatus(draft, draft.machine.facts.commissioning === 'passed' ? 'READY' : 'NEW');
  draft.machine.erase = { enabled: false, secure: false, quick: false };
  emit(draft, 'RELEASED', 'INFO');
  if (draft.machine.dynamic) effect(draft, { type: 'delete-machine' });
}
