import { failure, refusal } from './catalogue.ts';
import {
  begin,
  type Draft,
  effect,
  emit,
  endAttempt,
  enterPhase,
  openAttemptOf,
  ownerOf,
  request,
  setOwner,
  setStatus,
  settle,
} from './draft.ts';
import { fail } from './failing.ts';
import { beginWork } from './fast-track.ts';
import { check } from './guards.ts';
import type { Actor, Command, DecideContext, Decision, MachineState, Refusal } from './model.ts';

/** Somebody must own what is handed out: a machine without owner could be reached by nobody's keys. */
function needsPerson(machine: MachineState, actor: Actor, action: string): Refusal[] {
  if (machine.owner !== null || actor.kind === 'user') return [];
  return [refusal('perm.missing', { action, machine: machine.hostname, need: 'a person who will own it' })];
}

export function allocate(
  machine: MachineState,
  command: Extract<Command, { type: 'allocate' }>,
  context: DecideContext,
): Decision {
  const { refused } = check(machine, 'allocate', command.actor);
  refused.push(...needsPerson(machine, command.actor, 'allocate'));
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  acquire(draft, command.actor, command.agentName, command.comment);
  return settle(draft);
}

function acquire(draft: Draft, actor: Actor, agentName = '', comment?: string): void {
  request(draft, 'REQUEST_NODE_ACQUIRE', 'Acquired %s.', actor, comment);
  setOwner(draft, ownerOf(actor) ?? draft.machine.owner);
  draft.machine.agentName = agentName;
  setStatus(draft, 'ALLOCATED');
}

export function deploy(
  machine: MachineState,
  command: Extract<Command, { type: 'deploy' }>,
  context: DecideContext,
): Decision {
  const image = command.osystem ? `${command.osystem}/${command.distroSeries}` : command.distroSeries;
  const asked = { imageAvailable: command.imageAvailable, image, ephemeral: command.ephemeral ?? false };
  const { refused } = check(machine, 'deploy', command.actor, asked);
  refused.push(...needsPerson(machine, command.actor, 'deploy'));
  const said = new Set(refused.map(({ code }) => code));
  refused.push(...(command.obstacles ?? []).filter(({ code }) => !said.has(code)));
  if (refused.length > 0) return { ok: false, refused };
  const draft = begin(machine, context);
  if (machine.status === 'READY') acquire(draft, command.actor, command.agentName, command.comment);
  request(draft, 'REQUEST_NODE_START_DEPLOYMENT', 'Started deploying %s.', command.actor, command.comment);
  Object.assign(draft.machine, {
    osystem: command.osystem,
    distroSeries: command.distroSeries,
    hweKernel: command.hweKernel ?? '',
    ephemeralDeploy: command.ephemeral ?? false,
    netboot: true,
    enableSsh: false,
    errorDescription: '',
  } satisfies Partial<MachineState>);
  setStatus(draft, 'DEPLOYING');
  // A system that runs from memory is not installed, so there is no installation log.
  if (!draft.machine.ephemeralDeploy) effect(draft, { type: 'create-script-set', kind: 'installation' });
  effect(draft, { type: 'claim-addresses' });
  effect(draft, { type: 'create-instance-token' });
  beginWork(draft, 'deploy', draft.machine.ephemeralDeploy);
  return settle(draft);
}

/** What the phase `reboot` says of itself. */
export const KEXEC = 'By kexec: the agent starts the installed kernel itself, without a reset';

/** The system is on the disk. From here a network boot is answered "boot your disk". */
export function markInstalled(draft: Draft, kexec = false): void {
  if (!draft.machine.ephemeralDeploy) draft.machine.netboot = false;
  emit(draft, 'NODE_INSTALLATION_FINISHED', 'DEBUG');
  emit(draft, 'REBOOTING', 'INFO', kexec ? 'by kexec' : '');
  enterPhase(draft, 'reboot');
  const open = openAttemptOf(draft.machine);
  if (!kexec || open === null) return;
  const lastEvidence = { kind: 'agent.kexec', text: KEXEC, at: draft.context.now };
  draft.machine.attempt = { ...open, lastEvidence };
}

export function installed(
  machine: MachineState,
  command: Extract<Command, { type: 'installed' }>,
  context: DecideContext,
): Decision {
  const draft = begin(machine, context);
  if (machine.status !== 'DEPLOYING' || openAttemptOf(machine)?.id !== command.attemptId) {
    return { ok: true, machine, events: [], effects: [], note: 'stale' };
  }
  if (!machine.netboot) return { ok: true, machine, events: [], effects: [], note: 'no-op' };
  markInstalled(draft, command.kexec);
  return settle(draft);
}

/**
 * The installed system asked for its user-data: the machine is in its owner's hands, clients see Deployed. The attempt
 * stays open for the first boot, whose deadline only warns.
 */
function handOver(draft: Draft): void {
  const { osystem, distroSeries, facts } = draft.machine;
  if (!draft.machine.ephemeralDeploy) draft.machine.netboot = false;
  emit(
    draft,
    'IMAGE_DEPLOYED',
    'INFO',
    `deployed ${osystem}/${distroSeries}/${facts.architecture.split('/')[0] ?? ''}`,
  );
  setStatus(draft, 'DEPLOYED');
  enterPhase(draft, 'first-boot');
}

export function instanceUserData(machine: MachineState, context: DecideContext): Decision {
  if (machine.status !== 'DEPLOYING') {
    return { ok: true, machine, events: [], effects: [], note: machine.status === 'DEPLOYED' ? 'no-op' : 'stale' };
  }
  const draft = begin(machine, context);
  handOver(draft);
  return settle(draft);
}

/** cloud-init's last word. After the hand-over a failure is told, and the machine stays Deployed. */
export function instanceFinished(
  machine: MachineState,
  command: Extract<Command, { type: 'instance-finished' }>,
  context: DecideContext,
): Decision {
  const open = openAttemptOf(machine);
  const ours = machine.status === 'DEPLOYING' || (machine.status === 'DEPLOYED' && open?.kind === 'deploy');
  if (!ours) return { ok: true, machine, events: [], effects: [], note: 'stale' };
  const draft = begin(machine, context);
  const why = command.ok
    ? null
    : failure('cloudinit.failed', { detail: command.description }, open?.lastEvidence?.text ?? null);
  if (machine.status === 'DEPLOYING' && why !== null) {
    fail(draft, why);
    return settle(draft);
  }
  if (machine.status === 'DEPLOYING') handOver(draft);
  if (why !== null) emit(draft, 'NODE_POST_INSTALL_EVENT_FAILED', 'ERROR', why.message);
  endAttempt(draft, why === null ? 'passed' : 'failed', why);
  return settle(draft);
}
